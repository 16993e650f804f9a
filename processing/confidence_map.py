"""rasd:confidencemap: a pair and a model in, maps of its confidence and its routing out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from ..rasd_qgis.contract.request import ConfidenceRequest
from . import confidence_map_parameters as names
from .base import one_line_paragraphs
from .engine_algorithm import EngineAlgorithm, Raster
from .styles import ConfidenceRamp, Look, RoutingClasses
from .translation import tr


class ConfidenceMapAlgorithm(EngineAlgorithm[ConfidenceRequest]):
    """Map confidence and routing."""

    icon_name = "confidence_map.svg"

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "confidencemap"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Map confidence and routing of a model")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        words = tr(
            "hyperspectral,multispectral,fusion,confidence,routing,low rank,attention,explain,"
            "RASD-FuNet,model"
        )
        return words.split(",")

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Shows which branch of the network each pixel takes, by stage and scale.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in names.parameters():
            self.addParameter(parameter)
        for output in names.other_outputs():
            self.addOutput(output)

    def check_values(self, values: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """The values as QGIS's own checks understand them."""
        return names.check(self, values, context)

    def make_request(
        self, values: dict[str, Any], context: QgsProcessingContext
    ) -> ConfidenceRequest:
        """The request that these values make."""
        return names.confidence_request(self, values, context)

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the engine; the maps, being files in a folder, are announced to QGIS here."""
        results = super().processAlgorithm(parameters, context, feedback)
        project = context.project()
        if project is not None and self.parameterAsBool(parameters, names.LOAD, context):
            usual = self.parameterDefinition(names.FOLDER).description()
            for raster in self.rasters(self._request):
                details = QgsProcessingContext.LayerDetails(usual, project, raster.parameter)
                context.addLayerToLoadOnCompletion(raster.path, details)
        return results

    def results(self, request: ConfidenceRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """Paths and shares by output name."""
        confidence = [request.confidence_path(ratio) for ratio in request.ratios]
        routing = [request.routing_path(ratio) for ratio in request.ratios]
        shares = values.get("LOW_RANK_SHARES", ())
        return {
            names.FOLDER: request.folder,
            names.CONFIDENCE_LAYERS: confidence,
            names.ROUTING_LAYERS: routing,
            names.CONFIDENCE: confidence[0],
            names.ROUTING: routing[0],
            names.LOW_RANK_SHARES: ",".join(f"{share:.6g}" for share in shares),
        }

    def rasters(self, request: ConfidenceRequest) -> list[Raster]:
        """Of every ratio both maps, the routing above the confidence."""
        title, found = self.title(request), []
        for ratio in request.ratios:
            confidence = tr("{} confidence at r = {}").format(title, f"{ratio:g}")
            routing = tr("{} routing at r = {}").format(title, f"{ratio:g}")
            found += [
                Raster(names.FOLDER, request.confidence_path(ratio), confidence),
                Raster(names.FOLDER, request.routing_path(ratio), routing, on_top=True),
            ]
        return found

    def find_look(self, raster: Raster, values: Mapping[str, Any]) -> Look:
        """The fixed ramp for confidence, two classes for routing."""
        if raster.path in values.get("ROUTING", ()):
            return RoutingClasses()
        return ConfidenceRamp()

    def title(self, request: ConfidenceRequest) -> str:
        """The hyperspectral layer's name."""
        return request.hyperspectral.name

    def history(self, request: ConfidenceRequest, values: Mapping[str, Any]) -> str:
        """One line that says where the result comes from."""
        facts = request.provenance
        return (
            f"{facts['started']} {facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']}): "
            f"{request.hyperspectral.path} with {request.multispectral.path}; "
            f"model {values.get('MODEL_HASH', 'unknown')}, device {values.get('DEVICE', 'unknown')}"
        )


_HELP = """Runs a trained model on a pair of layers and maps what its stages do there, for one or
several routing ratios: the figure of the routing in the article on RASD-FuNet.

Confidence shows, from 0 to 1, how sure a stage is that the low-rank model serves a point: first
the mean, then each stage at full scale and at an eighth. Routing shows which branch each point
took, a band for each stage and scale: 1 low-rank, 0 attention, 255 nothing. A ratio of 0 sends all
points to attention, 1 all to the low-rank branch.

On a scene of more than one tile the points are routed tile by tile, as in “Fuse”.

Layers and model are those of “Fuse” with model “file”; the model comes from “Train” or from the
output “Trained model” of “Fuse”. Two rasters for each ratio are written to the folder.
"""
