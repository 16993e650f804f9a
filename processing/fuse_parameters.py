"""The parameters of rasd:fuse: what they are, and the request that they make."""

from __future__ import annotations

import secrets
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..rasd_qgis.contract.errors import RequestError
from ..rasd_qgis.contract.request import DEVICES, LEAST_TILE, MODELS, FuseRequest
from .layers import raster_source
from .outputs import check_outputs, check_suffix, stated_path
from .translation import tr
from .values import advanced, extent, optional, provenance, raster_layer, with_layers

INPUT_HS, INPUT_MS = "INPUT_HS", "INPUT_MS"
ROUTING_RATIO, MODEL, MODEL_FILE, EXTENT = "ROUTING_RATIO", "MODEL", "MODEL_FILE", "EXTENT"
TRAINING_MINUTES, TRAINING_STEPS = "TRAINING_MINUTES", "TRAINING_STEPS"
PSF_SIGMA, DEVICE, TILE_SIZE, SEED = "PSF_SIGMA", "DEVICE", "TILE_SIZE", "SEED"
OUTPUT, CONFIDENCE, MODEL_OUTPUT = "OUTPUT", "CONFIDENCE", "MODEL_OUTPUT"

_REAL = QgsProcessingParameterNumber.Type.Double
_WHOLE = QgsProcessingParameterNumber.Type.Integer
_SAFETENSORS = "Safetensors (*.safetensors)"


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_inputs(), *_outputs(), *map(advanced, _knobs())]


def _inputs() -> list[QgsProcessingParameterDefinition]:
    return [
        QgsProcessingParameterRasterLayer(INPUT_HS, tr("Hyperspectral layer (coarse)")),
        QgsProcessingParameterRasterLayer(INPUT_MS, tr("Multispectral layer (fine)")),
        QgsProcessingParameterNumber(
            ROUTING_RATIO,
            tr("Share of points routed to the low-rank branch"),
            _REAL,
            0.5,
            minValue=0.0,
            maxValue=1.0,
        ),
        QgsProcessingParameterEnum(
            MODEL, tr("Model"), list(MODELS), defaultValue=MODELS[0], usesStaticStrings=True
        ),
        QgsProcessingParameterFile(
            MODEL_FILE, tr("Model file (for model “file”)"), optional=True, fileFilter=_SAFETENSORS
        ),
        QgsProcessingParameterExtent(EXTENT, tr("Extent to fuse"), optional=True),
    ]


def _outputs() -> list[QgsProcessingParameterDefinition]:
    return [
        QgsProcessingParameterRasterDestination(OUTPUT, tr("Fused")),
        QgsProcessingParameterRasterDestination(
            CONFIDENCE, tr("Confidence"), optional=True, createByDefault=True
        ),
        QgsProcessingParameterFileDestination(
            MODEL_OUTPUT,
            tr("Trained model"),
            fileFilter=_SAFETENSORS,
            optional=True,
            createByDefault=False,
        ),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(TRAINING_MINUTES, tr("Training time at most (minutes)"), _REAL, 3.0, minValue=0.0),
        number(
            TRAINING_STEPS,
            tr("Training steps (in place of the time)"),
            _WHOLE,
            optional=True,
            minValue=0,
        ),
        number(
            PSF_SIGMA,
            tr("Standard deviation of the sensor's blur (coarse pixels)"),
            _REAL,
            optional=True,
            minValue=0.0,
            maxValue=10.0,
        ),
        QgsProcessingParameterEnum(
            DEVICE, tr("Device"), list(DEVICES), defaultValue=DEVICES[0], usesStaticStrings=True
        ),
        number(TILE_SIZE, tr("Tile size (fine pixels)"), _WHOLE, 512, minValue=LEAST_TILE),
        number(SEED, tr("Random seed"), _WHOLE, 0, minValue=0),
    ]


# By output name: what the dialog calls it, and its name in the engine's result.
NUMBERS = {
    "ROUTING_RATIO_USED": ("Routing ratio used", "ROUTING_RATIO"),
    "LOW_RANK_SHARE": ("Share of points routed to the low-rank branch", "LOW_RANK_SHARE"),
    "STEPS": ("Training steps", "TRAINING_STEPS"),
    "CONSISTENCY_HS": ("Relative RMSE to the hyperspectral input", "CONSISTENCY_HS"),
    "CONSISTENCY_MS": ("Relative RMSE to the multispectral input", "CONSISTENCY_MS"),
}


def number_outputs() -> list[QgsProcessingOutputNumber]:
    """The figures of a run, for models to use."""
    return [QgsProcessingOutputNumber(name, tr(text)) for name, (text, _) in NUMBERS.items()]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use, before QGIS's own, terser checks.

    Returns the values as those checks understand them, with the layers in place of their names.
    """
    ratio = algorithm.parameterAsDouble(values, ROUTING_RATIO, context)
    if not 0.0 <= ratio <= 1.0:
        raise RequestError(
            f"The routing ratio is {ratio:g}; it is a share of the points, from 0 to 1.",
            "0 uses attention alone, 1 the low-rank branch alone, 0.5 is a good start.",
        )
    outputs = {name: stated_path(values.get(name)) for name in (OUTPUT, CONFIDENCE, MODEL_OUTPUT)}
    outputs[OUTPUT] = outputs[OUTPUT] or "a temporary file"
    check_outputs(_request(algorithm, values, context, outputs))
    return with_layers(algorithm, values, (INPUT_HS, INPUT_MS), context)


def fuse_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> FuseRequest:
    """The request that these parameter values make; RasdError where they make none.

    Temporary outputs get their names here, so it is called once a run.
    """
    outputs = {
        OUTPUT: algorithm.parameterAsOutputLayer(values, OUTPUT, context),
        CONFIDENCE: algorithm.parameterAsOutputLayer(values, CONFIDENCE, context),
        MODEL_OUTPUT: algorithm.parameterAsFileOutput(values, MODEL_OUTPUT, context),
    }
    request = _request(algorithm, values, context, outputs)
    check_outputs(request)
    return request


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    outputs: dict[str, str],
) -> FuseRequest:
    multispectral = raster_layer(algorithm, values, INPUT_MS, context)
    check_suffix(outputs[MODEL_OUTPUT], ".safetensors", "A model")
    return FuseRequest(
        run_id=secrets.token_hex(8),
        hyperspectral=raster_source(raster_layer(algorithm, values, INPUT_HS, context)),
        multispectral=raster_source(multispectral),
        output=outputs[OUTPUT],
        confidence=outputs[CONFIDENCE] or None,
        model=algorithm.parameterAsEnumString(values, MODEL, context),
        model_file=algorithm.parameterAsFile(values, MODEL_FILE, context) or None,
        model_output=outputs[MODEL_OUTPUT] or None,
        routing_ratio=algorithm.parameterAsDouble(values, ROUTING_RATIO, context),
        extent=extent(algorithm, values, EXTENT, multispectral.crs(), context),
        training_minutes=algorithm.parameterAsDouble(values, TRAINING_MINUTES, context),
        training_steps=optional(algorithm.parameterAsInt, values, TRAINING_STEPS, context),
        psf_sigma=optional(algorithm.parameterAsDouble, values, PSF_SIGMA, context),
        device=algorithm.parameterAsEnumString(values, DEVICE, context),
        tile_size=algorithm.parameterAsInt(values, TILE_SIZE, context),
        seed=algorithm.parameterAsInt(values, SEED, context),
        provenance=provenance("rasd:fuse"),
    )
