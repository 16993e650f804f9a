"""The parameters of rasd:fuse: what they are, and the request that they make."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
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
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import InputError, RequestError
from ..rasd_qgis.contract.request import DEVICES, LEAST_TILE, MODELS, FuseRequest
from .layers import local_files, raster_source
from .outputs import check_outputs, stated_path
from .translation import tr
from .version import plugin_version

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
    return [*_inputs(), *_outputs(), *map(_advanced, _knobs())]


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


def _advanced(parameter: QgsProcessingParameterDefinition) -> QgsProcessingParameterDefinition:
    flag = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    parameter.setFlags(parameter.flags() | flag)
    return parameter


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
    inputs = (INPUT_HS, INPUT_MS)
    return {**values, **{name: raster_layer(algorithm, values, name, context) for name in inputs}}


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
        extent=_extent(algorithm, values, multispectral.crs(), context),
        training_minutes=algorithm.parameterAsDouble(values, TRAINING_MINUTES, context),
        training_steps=_optional(algorithm.parameterAsInt, values, TRAINING_STEPS, context),
        psf_sigma=_optional(algorithm.parameterAsDouble, values, PSF_SIGMA, context),
        device=algorithm.parameterAsEnumString(values, DEVICE, context),
        tile_size=algorithm.parameterAsInt(values, TILE_SIZE, context),
        seed=algorithm.parameterAsInt(values, SEED, context),
        provenance=_provenance(),
    )


def raster_layer(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
) -> QgsRasterLayer:
    """The layer that a parameter names; InputError where QGIS cannot open it."""
    layer = algorithm.parameterAsRasterLayer(values, name, context)
    if layer is None:
        layer = _subdataset(values.get(name))
    if layer is None or not layer.isValid():
        raise InputError(
            f"{name}: “{values.get(name)}” cannot be opened as a raster.",
            "Check that the file exists, is complete, and opens in QGIS.",
        )
    return layer


def _subdataset(value: Any) -> QgsRasterLayer | None:
    """The layer of a GDAL name such as NETCDF:"file":part, which QGIS itself does not look up."""
    files = local_files(value) if isinstance(value, str) else []
    return QgsRasterLayer(value, files[0].stem, "gdal") if files else None


def _optional(
    read: Callable[..., Any], values: dict[str, Any], name: str, context: QgsProcessingContext
) -> Any:
    """The value of a parameter, None where it was left empty."""
    value = values.get(name)
    empty = value is None or value == "" or (hasattr(value, "isNull") and value.isNull())
    return None if empty else read(values, name, context)


def _extent(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    crs: QgsCoordinateReferenceSystem,
    context: QgsProcessingContext,
) -> tuple[float, float, float, float] | None:
    if not values.get(EXTENT):
        return None
    box = algorithm.parameterAsExtent(values, EXTENT, context, crs)
    if box.isNull():
        return None
    return box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()


def _provenance() -> dict[str, str]:
    return {
        "algorithm": "rasd:fuse",
        "plugin": f"RASD Fusion {plugin_version()}",
        "qgis": Qgis.version(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
