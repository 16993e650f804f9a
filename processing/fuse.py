"""rasd:fuse: a hyperspectral and a multispectral layer in, a fused raster and confidence out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsRasterLayer

from ..rasd_qgis.contract.request import FuseRequest
from . import fuse_parameters as names
from .base import one_line_paragraphs
from .engine_algorithm import EngineAlgorithm, Raster
from .styles import ConfidenceRamp, Look, natural_colour
from .translation import tr


class FuseAlgorithm(EngineAlgorithm[FuseRequest]):
    """Fuse hyperspectral and multispectral."""

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

    def check_values(self, values: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """The values as QGIS's own checks understand them."""
        return names.check(self, values, context)

    def make_request(self, values: dict[str, Any], context: QgsProcessingContext) -> FuseRequest:
        """The request that these values make."""
        return names.fuse_request(self, values, context)

    def results(self, request: FuseRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """Paths and figures by output name."""
        return {
            names.OUTPUT: request.output,
            names.CONFIDENCE: request.confidence,
            names.MODEL_OUTPUT: request.model_output,
            **{name: values.get(word) for name, (_, word) in names.NUMBERS.items()},
        }

    def rasters(self, request: FuseRequest) -> list[Raster]:
        """Fused, and its confidence where it is asked for."""
        title = self.title(request)
        made = [Raster(names.OUTPUT, request.output, tr("{} fused").format(title), on_top=True)]
        if request.confidence:
            name = tr("{} confidence").format(title)
            made.append(Raster(names.CONFIDENCE, request.confidence, name))
        return made

    def find_look(self, raster: Raster, values: Mapping[str, Any]) -> Look:
        """Natural colour, and the fixed ramp."""
        if raster.parameter == names.CONFIDENCE:
            return ConfidenceRamp()
        return natural_colour(QgsRasterLayer(raster.path, "fused", "gdal"), values.get("RGB"))

    def title(self, request: FuseRequest) -> str:
        """The hyperspectral layer's name."""
        return request.hyperspectral.name

    def history(self, request: FuseRequest, values: Mapping[str, Any]) -> str:
        """One line that says where the result comes from."""
        facts = request.provenance
        return (
            f"{facts['started']} {facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']}): "
            f"{request.hyperspectral.path} with {request.multispectral.path}; "
            f"model {values.get('MODEL_HASH', 'unknown')}, {values.get('TRAINING_STEPS', 0)} "
            f"training steps, seed {request.seed}, routing ratio {values.get('ROUTING_RATIO')}, "
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
