"""rasd:confidencemap: a pair and a model in, maps of its confidence and its routing out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from ..rasd_qgis.contract.request import ConfidenceRequest
from . import confidence_map_parameters as names
from .base import Words
from .engine_algorithm import EngineAlgorithm, Raster, always
from .styles import ConfidenceRamp, RoutingClasses
from .translation import mark, tr


class ConfidenceMapAlgorithm(EngineAlgorithm[ConfidenceRequest]):
    """Map confidence and routing."""

    form = names
    words = Words(
        id="confidencemap",
        title=mark("Map confidence and routing of a model"),
        tip=mark("Shows which branch of the network each pixel takes, by stage and scale."),
        tags=mark(
            "hyperspectral,multispectral,fusion,confidence,routing,low rank,attention,explain,"
            "RASD-FuNet,model"
        ),
        icon="confidence_map.svg",
    )

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
            for path, raster in self._made(self._request).items():
                details = QgsProcessingContext.LayerDetails(usual, project, raster.parameter)
                context.addLayerToLoadOnCompletion(path, details)
        return results

    def rasters(self, request: ConfidenceRequest, title: str) -> list[Raster]:
        """Of every ratio both maps, the routing above the confidence."""
        found = []
        for ratio in request.ratios:
            confidence = tr("{} confidence at r = {}").format(title, f"{ratio:g}")
            routing = tr("{} routing at r = {}").format(title, f"{ratio:g}")
            ramp, classes = always(ConfidenceRamp()), always(RoutingClasses())
            found += [
                Raster(names.FOLDER, request.confidence_path(ratio), confidence, ramp),
                Raster(names.FOLDER, request.routing_path(ratio), routing, classes, on_top=True),
            ]
        return found

    def origin(self, request: ConfidenceRequest, values: Mapping[str, Any]) -> str:
        """The pair and the model."""
        return (
            f"{request.hyperspectral.path} with {request.multispectral.path}; "
            f"model {values.get('MODEL_HASH', 'unknown')}, device {values.get('DEVICE', 'unknown')}"
        )
