"""An algorithm whose work the engine does: from values to a request, and from a result to layers.

A subclass's form says what is asked and what comes of it, the subclass what its rasters look like;
how a run is checked, started, cancelled and brought back into the project is the same for all of
them. Layers are touched in the main thread only; the run itself leaves it free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import RasdError
from ..rasd_qgis.contract.request import Request
from ..rasd_qgis.engine_link.environment import require_engine
from ..rasd_qgis.engine_link.process import run_engine
from .arrival import Arrival, announce
from .base import Form, NeedsEngine, as_processing_error
from .outputs import MainThread, check_outputs, layers_showing, refuse_open_files
from .responsive import ResponsiveFeedback
from .styles import Look, apply_look, error_ramp, natural_colour, save_style
from .translation import tr
from .values import with_words

AnyRequest = TypeVar("AnyRequest", bound=Request)


# How an output that was just written is to be shown, from its path and the values of the result.
FindLook = Callable[[str, Mapping[str, Any]], Look]


@dataclass(frozen=True)
class Raster:
    """A raster output: its parameter, its path (none for one that is left out), what its layer is
    called, its look, and whether it goes on top of the run's group.
    """

    parameter: str
    path: str | None
    name: str
    find_look: FindLook
    on_top: bool = False


def always(look: Look) -> FindLook:
    """That look."""
    return lambda path, values: look


def errors(path: str, values: Mapping[str, Any]) -> Look:
    """From 0 to what nearly all pixels stay below."""
    return error_ramp(QgsRasterLayer(path, "map", "gdal"))


def natural(word: str) -> FindLook:
    """Natural colour by the bands that a result has under `word`."""
    return lambda path, values: natural_colour(
        QgsRasterLayer(path, "output", "gdal"), values.get(word)
    )


class EngineForm(Form, Protocol[AnyRequest]):
    """A form whose values make a request."""

    def check(
        self,
        algorithm: QgsProcessingAlgorithm,
        values: dict[str, Any],
        context: QgsProcessingContext,
    ) -> dict[str, Any]:
        """The values as QGIS's own checks understand them; RasdError where no run could begin."""

    def make_request(
        self,
        algorithm: QgsProcessingAlgorithm,
        values: dict[str, Any],
        context: QgsProcessingContext,
    ) -> AnyRequest:
        """The request that these values make; called once a run. RasdError where they make none."""

    def title(self, request: AnyRequest) -> str:
        """What the run's group of layers is called after."""

    def results(self, request: AnyRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name, from the values of the engine's result; None for those left out."""


class EngineAlgorithm(NeedsEngine, Generic[AnyRequest]):
    """Base of the algorithms that hand a request to the engine."""

    form: EngineForm[AnyRequest]

    def __init__(self) -> None:
        super().__init__()
        self._request: AnyRequest  # made in prepareAlgorithm
        self._looks: dict[str, Look] = {}
        self._showing: dict[str, list[str]] = {}
        self._main_thread: MainThread | None = None
        self._history = ""
        self._to_load: dict[str, QgsProcessingContext.LayerDetails] = {}

    def rasters(self, request: AnyRequest, title: str) -> list[Raster]:
        """The raster outputs of a run; none where what it makes is no raster."""
        return []

    def origin(self, request: AnyRequest, values: Mapping[str, Any]) -> str:
        """What the result comes from, in one line for the layers' history."""
        return ""

    def history(self, request: AnyRequest, values: Mapping[str, Any]) -> str:
        """One line that says when, by whom and of what a result was made."""
        facts = request.provenance
        maker = f"{facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']})"
        return f"{facts['started']} {maker}: {self.origin(request, values)}"

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """False, with one sentence, where no run could begin."""
        try:
            require_engine()
            checked = self.form.check(self, with_words(self, parameters), context)
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
            request = self.form.make_request(self, with_words(self, parameters), context)
            check_outputs(request)
            self._showing = layers_showing(context.project(), self._made(request))
            refuse_open_files(context.project(), self._showing)
        except RasdError as error:
            raise as_processing_error(error) from error
        self._request = request
        self._to_load = context.layersToLoadOnCompletion()
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
        # A task runs in a context of its own, whose list of layers to load is the one that counts.
        for path, details in self._to_load.items():
            if not context.willLoadLayerOnCompletion(path):
                context.addLayerToLoadOnCompletion(path, details)
        try:
            values = run_engine(request, ResponsiveFeedback(feedback), require_engine())
        except RasdError as error:
            raise as_processing_error(error) from error
        self._history = self.history(request, values)
        self._find_looks(values, feedback)
        results = self.form.results(request, values)
        return {name: value for name, value in results.items() if value is not None}

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Name, group and style the outputs, and refresh layers that already show them."""
        group = tr("RASD Fusion: {}").format(self.form.title(self._request))
        for path, raster in self._made(self._request).items():
            if path in self._looks:
                arrival = Arrival(self._looks[path], group, raster.on_top, self._history)
                usual = self.parameterDefinition(raster.parameter).description()
                announce(context, path, usual, raster.name, arrival)
        self._refresh(context.project())
        return {}

    def _made(self, request: AnyRequest) -> dict[str, Raster]:
        """The raster outputs by path, those left out not among them."""
        title = self.form.title(request)
        return {raster.path: raster for raster in self.rasters(request, title) if raster.path}

    def _find_looks(self, values: Mapping[str, Any], feedback: QgsProcessingFeedback) -> None:
        """Find how the outputs are to look, and save that beside them."""
        for path, raster in self._made(self._request).items():
            self._looks[path] = raster.find_look(path, values)
        try:
            for path, look in self._looks.items():
                save_style(path, look)
        except OSError as error:
            feedback.pushWarning(tr("A style was not saved: {}").format(error))

    def _refresh(self, project: QgsProject | None) -> None:
        """Let layers that were open on an output show its new pixels."""
        showing, looks = self._showing, self._looks
        if not showing or not looks:
            return

        def reload() -> None:
            for path, ids in showing.items():
                for layer in filter(None, map(project.mapLayer, ids)):
                    layer.dataProvider().reloadData()
                    apply_look(layer, looks[path])

        self._main_thread.call(reload)
