"""rasd:fuse: a hyperspectral and a multispectral layer in, a fused raster and its confidence out.

The algorithm gathers the request, hands it to the engine, and brings the outputs back into the
project. Layers are touched in the main thread only; the run itself leaves it free.
"""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import RasdError
from ..rasd_qgis.contract.request import FuseRequest
from ..rasd_qgis.engine_link.environment import require_engine
from ..rasd_qgis.engine_link.process import run_engine
from . import fuse_parameters as names
from .arrival import Arrival, announce
from .base import RasdAlgorithm, as_processing_error, one_line_paragraphs
from .outputs import MainThread, layers_showing, refuse_open_files
from .responsive import ResponsiveFeedback
from .styles import ConfidenceRamp, Look, apply_look, natural_colour, save_style
from .translation import tr


class FuseAlgorithm(RasdAlgorithm):
    """Fuse hyperspectral and multispectral."""

    def __init__(self) -> None:
        super().__init__()
        self._request: FuseRequest  # made in prepareAlgorithm
        self._looks: dict[str, Look] = {}
        self._showing: dict[str, list[str]] = {}
        self._main_thread: MainThread | None = None
        self._history = ""

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "fuse"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Fuse hyperspectral and multispectral")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        words = tr(
            "hyperspectral,multispectral,fusion,fuse,pansharpening,hypersharpening,"
            "super-resolution,sharpen,deep learning,RASD-FuNet,torch"
        )
        return words.split(",")

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Gives a hyperspectral raster the resolution of a multispectral one.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in names.parameters():
            self.addParameter(parameter)
        for output in names.number_outputs():
            self.addOutput(output)

    def canExecute(self) -> tuple[bool, str]:
        """False, with what to do, where the engine is not set up."""
        try:
            require_engine()
        except RasdError as error:
            return False, str(error)
        return True, ""

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """False, with one sentence, where no run could begin."""
        try:
            require_engine()
            checked = names.check(self, parameters, context)
        except RasdError as error:
            return False, str(error)
        return super().checkParameterValues(checked, context)

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Turn the layers into a request, while they may be touched."""
        try:
            require_engine()
            request = names.fuse_request(self, parameters, context)
            paths = [path for path in (request.output, request.confidence) if path]
            self._showing = layers_showing(context.project(), paths)
            refuse_open_files(context.project(), self._showing)
        except RasdError as error:
            raise as_processing_error(error) from error
        self._request = request
        self._main_thread = MainThread()
        return True

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the engine; raises QgsProcessingException with its sentence where it fails."""
        request = self._request
        try:
            values = run_engine(request, ResponsiveFeedback(feedback), require_engine())
        except RasdError as error:
            raise as_processing_error(error) from error
        self._history = _history(request, values)
        self._find_looks(values.get("RGB"), feedback)
        results = {
            names.OUTPUT: request.output,
            names.CONFIDENCE: request.confidence,
            names.MODEL_OUTPUT: request.model_output,
        }
        figures = {name: values.get(word) for name, (_, word) in names.NUMBERS.items()}
        return {name: value for name, value in {**results, **figures}.items() if value is not None}

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Name, group and style the outputs, and refresh layers that already show them."""
        request = self._request
        if not self._looks:
            return {}
        title = request.hyperspectral.name
        group = tr("RASD Fusion: {}").format(title)
        for key, path, name in (
            (names.OUTPUT, request.output, tr("{} fused").format(title)),
            (names.CONFIDENCE, request.confidence, tr("{} confidence").format(title)),
        ):
            if path in self._looks:
                arrival = Arrival(self._looks[path], group, key == names.OUTPUT, self._history)
                usual = self.parameterDefinition(key).description()
                announce(context, path, usual, name, arrival)
        self._refresh(context.project())
        return {}

    def _find_looks(self, rgb: list[int] | None, feedback: QgsProcessingFeedback) -> None:
        """Find how the outputs are to look, and save that beside them."""
        request = self._request
        fused = QgsRasterLayer(request.output, "fused", "gdal")
        self._looks[request.output] = natural_colour(fused, rgb)
        if request.confidence:
            self._looks[request.confidence] = ConfidenceRamp()
        try:
            for path, look in self._looks.items():
                save_style(path, look)
        except OSError as error:
            feedback.pushWarning(tr("A style was not saved: {}").format(error))

    def _refresh(self, project: QgsProject | None) -> None:
        """Let layers that were open on an output show its new pixels."""
        showing, looks = self._showing, self._looks
        if not showing:
            return

        def reload() -> None:
            for path, ids in showing.items():
                for layer in filter(None, map(project.mapLayer, ids)):
                    layer.dataProvider().reloadData()
                    apply_look(layer, looks[path])

        self._main_thread.call(reload)


def _history(request: FuseRequest, values: dict[str, Any]) -> str:
    """One line that says where the result comes from."""
    facts = request.provenance
    return (
        f"{facts['started']} {facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']}): "
        f"{request.hyperspectral.path} with {request.multispectral.path}; "
        f"model {values.get('MODEL_HASH', 'unknown')}, {values.get('TRAINING_STEPS', 0)} training "
        f"steps, seed {request.seed}, routing ratio {values.get('ROUTING_RATIO')}, "
        f"device {values.get('DEVICE', 'unknown')}"
    )


_HELP = """Fuses a coarse hyperspectral layer with a fine multispectral layer of the same ground:
the result has the bands of the first on the grid of the second. It is computed by the
network RASD-FuNet, which sends the points that it trusts to be simple through a
low-rank branch and the others through attention.

Hyperspectral layer, multispectral layer: files on this computer. They may differ in
CRS, extent and rotation, and the ratio of their pixel sizes need not be whole. A CRS or
nodata set on the layer counts.

Share of points routed to the low-rank branch: 0 uses attention alone, 1 the low-rank
branch alone; more is faster. 0.3 to 0.9 is useful.

Model: “scene” trains on these two layers, within the training time; “file” uses a model
that an earlier run saved.

Extent: the part to fuse; empty takes all that both layers cover.

Fused keeps data type, nodata, scale, band names and wavelengths of the hyperspectral
layer. Confidence shows, from 0 to 1, where the network trusted the low-rank branch:
first the mean, then each stage and scale. Trained model is what model “file” uses.

The engine is set up once, by the algorithm “Set up the engine”.
"""
