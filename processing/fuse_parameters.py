"""The parameters of rasd:fuse: what they are, and the request that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from ..rasd_qgis.contract.errors import RequestError
from ..rasd_qgis.contract.request import MODELS, FuseRequest
from . import fields
from .fields import (
    DEVICE,
    INPUT_HS,
    INPUT_MS,
    MODEL_FILE,
    PSF_SIGMA,
    ROUTING_MODE,
    ROUTING_RATIO,
    SEED,
    TILE_SIZE,
)
from .layers import raster_source
from .outputs import check_outputs, check_suffix, is_temporary, stated_path
from .translation import mark, tr
from .values import Numbers, extent, numbers_of, optional, raster_layer, run_of, with_layers

MODEL, EXTENT = "MODEL", "EXTENT"
TRAINING_MINUTES, TRAINING_STEPS = "TRAINING_MINUTES", "TRAINING_STEPS"
DASK_SCHEDULER, DASK_STORAGE = "DASK_SCHEDULER", "DASK_STORAGE"
OUTPUT, CONFIDENCE, UNCERTAINTY = "OUTPUT", "CONFIDENCE", "UNCERTAINTY"
MODEL_OUTPUT = "MODEL_OUTPUT"


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_inputs(), *_outputs(), *map(fields.advanced, _knobs())]


def _inputs() -> list[QgsProcessingParameterDefinition]:
    return [
        *fields.pair(),
        fields.routing_ratio(),
        fields.choice(MODEL, tr("Model"), MODELS),
        QgsProcessingParameterFile(
            MODEL_FILE,
            tr("Model file (for model “file”)"),
            optional=True,
            fileFilter=fields.SAFETENSORS,
        ),
        QgsProcessingParameterExtent(EXTENT, tr("Extent to fuse"), optional=True),
    ]


def _outputs() -> list[QgsProcessingParameterDefinition]:
    return [
        QgsProcessingParameterRasterDestination(OUTPUT, tr("Fused")),
        fields.optional_raster(CONFIDENCE, tr("Confidence")),
        QgsProcessingParameterRasterDestination(
            UNCERTAINTY, tr("Uncertainty"), optional=True, createByDefault=False
        ),
        QgsProcessingParameterFileDestination(
            MODEL_OUTPUT,
            tr("Trained model (of model “scene”)"),
            fileFilter=fields.SAFETENSORS,
            optional=True,
            createByDefault=False,
        ),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        fields.routing_mode(),
        number(
            TRAINING_MINUTES, tr("Training time at most (minutes)"), fields.REAL, 3.0, minValue=0.0
        ),
        number(
            TRAINING_STEPS,
            tr("Training steps (in place of the time)"),
            fields.WHOLE,
            optional=True,
            minValue=0,
        ),
        fields.psf_sigma(),
        fields.device(),
        fields.tile_size(),
        fields.seed(),
        QgsProcessingParameterString(
            DASK_SCHEDULER,
            tr("Address of a Dask scheduler (empty: this machine)"),
            optional=True,
        ),
        QgsProcessingParameterString(
            DASK_STORAGE,
            tr("Folder or URL that all Dask workers share (empty: beside the output)"),
            optional=True,
        ),
    ]


NUMBERS: Numbers = {
    "ROUTING_RATIO_USED": (mark("Routing ratio used"), "ROUTING_RATIO"),
    "LOW_RANK_SHARE": (mark("Share of points routed to the low-rank branch"), "LOW_RANK_SHARE"),
    "STEPS": (mark("Training steps"), "TRAINING_STEPS"),
    "CONSISTENCY_HS": (mark("Relative RMSE to the hyperspectral input"), "CONSISTENCY_HS"),
    "CONSISTENCY_MS": (mark("Relative RMSE to the multispectral input"), "CONSISTENCY_MS"),
}


def outputs() -> list[QgsProcessingOutputDefinition]:
    """The figures of a run, for models to use."""
    return [*fields.number_outputs(NUMBERS)]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use, before QGIS's own, terser checks.

    Returns the values as those checks understand them, with the layers in place of their names.
    """
    ratio = algorithm.parameterAsDouble(values, ROUTING_RATIO, context)
    if not 0.0 <= ratio <= 1.0:
        raise RequestError(
            tr("The routing ratio is {:g}; it is a share of the points, from 0 to 1.").format(
                ratio
            ),
            tr("0 uses attention alone, 1 the low-rank branch alone, 0.5 is a good start."),
        )
    named = (OUTPUT, CONFIDENCE, UNCERTAINTY, MODEL_OUTPUT)
    paths = {name: stated_path(values.get(name)) for name in named}
    paths[OUTPUT] = paths[OUTPUT] or "a temporary file"
    check_outputs(_request(algorithm, values, context, paths))
    return with_layers(algorithm, values, (INPUT_HS, INPUT_MS), context)


def make_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> FuseRequest:
    """The request that these parameter values make; RasdError where they make none.

    Temporary outputs get their names here, so it is called once a run.
    """
    paths = {
        OUTPUT: algorithm.parameterAsOutputLayer(values, OUTPUT, context),
        CONFIDENCE: algorithm.parameterAsOutputLayer(values, CONFIDENCE, context),
        UNCERTAINTY: algorithm.parameterAsOutputLayer(values, UNCERTAINTY, context),
        MODEL_OUTPUT: algorithm.parameterAsFileOutput(values, MODEL_OUTPUT, context),
    }
    return _request(algorithm, values, context, paths)


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    paths: dict[str, str],
) -> FuseRequest:
    multispectral = raster_layer(algorithm, values, INPUT_MS, context)
    check_suffix(paths[MODEL_OUTPUT], ".safetensors", tr("A model"))
    return FuseRequest(
        hyperspectral=raster_source(raster_layer(algorithm, values, INPUT_HS, context)),
        multispectral=raster_source(multispectral),
        output=paths[OUTPUT],
        confidence=paths[CONFIDENCE] or None,
        uncertainty=paths[UNCERTAINTY] or None,
        model=algorithm.parameterAsEnumString(values, MODEL, context),
        model_file=algorithm.parameterAsFile(values, MODEL_FILE, context) or None,
        model_output=paths[MODEL_OUTPUT] or None,
        routing_ratio=algorithm.parameterAsDouble(values, ROUTING_RATIO, context),
        routing_mode=algorithm.parameterAsEnumString(values, ROUTING_MODE, context),
        extent=extent(algorithm, values, EXTENT, multispectral.crs(), context),
        training_minutes=algorithm.parameterAsDouble(values, TRAINING_MINUTES, context),
        training_steps=optional(algorithm.parameterAsInt, values, TRAINING_STEPS, context),
        psf_sigma=optional(algorithm.parameterAsDouble, values, PSF_SIGMA, context),
        device=algorithm.parameterAsEnumString(values, DEVICE, context),
        tile_size=algorithm.parameterAsInt(values, TILE_SIZE, context),
        seed=algorithm.parameterAsInt(values, SEED, context),
        resumable=not is_temporary(paths[OUTPUT]),
        dask_scheduler=algorithm.parameterAsString(values, DASK_SCHEDULER, context).strip() or None,
        dask_storage=algorithm.parameterAsString(values, DASK_STORAGE, context).strip() or None,
        **run_of("rasd:fuse"),
    )


def title(request: FuseRequest) -> str:
    """What the run is called after."""
    return request.hyperspectral.name


def results(request: FuseRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths and figures by output name."""
    return {
        OUTPUT: request.output,
        CONFIDENCE: request.confidence,
        UNCERTAINTY: request.uncertainty,
        MODEL_OUTPUT: request.model_output,
        **numbers_of(NUMBERS, values),
    }
