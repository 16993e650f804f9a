"""The parameters of rasd:confidencemap: what they are, and the request that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterString,
)

from ..rasd_qgis.contract.errors import InputError
from ..rasd_qgis.contract.request import ConfidenceRequest
from . import fields
from .fields import DEVICE, INPUT_HS, INPUT_MS, MODEL_FILE, PSF_SIGMA, TILE_SIZE
from .layers import raster_source
from .outputs import check_outputs, stated_path
from .translation import tr
from .values import extent, optional, raster_layer, run_of, with_layers

ROUTING_RATIOS, EXTENT, LOAD = "ROUTING_RATIOS", "EXTENT", "LOAD"
FOLDER = "FOLDER"
CONFIDENCE_LAYERS, ROUTING_LAYERS = "CONFIDENCE_LAYERS", "ROUTING_LAYERS"
CONFIDENCE, ROUTING, LOW_RANK_SHARES = "CONFIDENCE", "ROUTING", "LOW_RANK_SHARES"


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    knobs = [fields.psf_sigma(), fields.device(), fields.tile_size()]
    return [
        *fields.pair(),
        fields.model_file(),
        QgsProcessingParameterString(
            ROUTING_RATIOS, tr("Routing ratios, with commas between"), defaultValue="0.5"
        ),
        QgsProcessingParameterExtent(EXTENT, tr("Extent to map"), optional=True),
        QgsProcessingParameterBoolean(LOAD, tr("Add the maps to the project"), defaultValue=True),
        QgsProcessingParameterFolderDestination(FOLDER, tr("Folder of the maps")),
        *map(fields.advanced, knobs),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """The maps, and what a run tells besides."""
    return [
        QgsProcessingOutputMultipleLayers(CONFIDENCE_LAYERS, tr("Confidence, a layer a ratio")),
        QgsProcessingOutputMultipleLayers(ROUTING_LAYERS, tr("Routing, a layer a ratio")),
        QgsProcessingOutputRasterLayer(CONFIDENCE, tr("Confidence at the first ratio")),
        QgsProcessingOutputRasterLayer(ROUTING, tr("Routing at the first ratio")),
        QgsProcessingOutputString(
            LOW_RANK_SHARES, tr("Share of points in the low-rank branch, by ratio")
        ),
    ]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    folder = stated_path(values.get(FOLDER)) or "a temporary folder"
    check_outputs(_request(algorithm, values, context, folder))
    return with_layers(algorithm, values, (INPUT_HS, INPUT_MS), context)


def make_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> ConfidenceRequest:
    """The request that these parameter values make; RasdError where they make none.

    A temporary folder gets its name here, so it is called once a run.
    """
    folder = algorithm.parameterAsString(values, FOLDER, context)
    return _request(algorithm, values, context, folder)


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    folder: str,
) -> ConfidenceRequest:
    multispectral = raster_layer(algorithm, values, INPUT_MS, context)
    return ConfidenceRequest(
        hyperspectral=raster_source(raster_layer(algorithm, values, INPUT_HS, context)),
        multispectral=raster_source(multispectral),
        folder=folder,
        model_file=algorithm.parameterAsFile(values, MODEL_FILE, context) or None,
        ratios=_ratios(algorithm.parameterAsString(values, ROUTING_RATIOS, context)),
        extent=extent(algorithm, values, EXTENT, multispectral.crs(), context),
        psf_sigma=optional(algorithm.parameterAsDouble, values, PSF_SIGMA, context),
        device=algorithm.parameterAsEnumString(values, DEVICE, context),
        tile_size=algorithm.parameterAsInt(values, TILE_SIZE, context),
        **run_of("rasd:confidencemap"),
    )


def title(request: ConfidenceRequest) -> str:
    """What the run is called after."""
    return request.hyperspectral.name


def results(request: ConfidenceRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths and shares by output name."""
    confidence = [request.confidence_path(ratio) for ratio in request.ratios]
    routing = [request.routing_path(ratio) for ratio in request.ratios]
    shares = values.get("LOW_RANK_SHARES", ())
    return {
        FOLDER: request.folder,
        CONFIDENCE_LAYERS: confidence,
        ROUTING_LAYERS: routing,
        CONFIDENCE: confidence[0],
        ROUTING: routing[0],
        LOW_RANK_SHARES: ",".join(f"{share:.6g}" for share in shares),
    }


def _ratios(text: str) -> tuple[float, ...]:
    """The numbers of a text that parts them by commas, semicolons or spaces."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise InputError(
            tr("The routing ratios “{}” are not all numbers.").format(text),
            tr("Give them with commas between, as in 0.3, 0.5, 0.9."),
        ) from error
