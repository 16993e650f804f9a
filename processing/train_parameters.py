"""The parameters of rasd:train: what they are, and the request that they make."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingUtils,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import InputError
from ..rasd_qgis.contract.request import DEVICES, TrainRequest
from ..rasd_qgis.contract.simulate_request import (
    GREATEST_RATIO,
    GREATEST_SIGMA,
    LEAST_RATIO,
    PHASES,
)
from ..rasd_qgis.contract.train_request import LAYOUTS, PRESETS
from .layers import raster_source
from .outputs import check_outputs, check_suffix, stated_path
from .simulate_parameters import response_parameters, response_values
from .translation import tr
from .values import advanced, is_empty, optional, provenance, subdataset

REFERENCES, FOLDER, LAYOUT = "REFERENCES", "FOLDER", "LAYOUT"
INPUTS_HS, INPUTS_MS = "INPUTS_HS", "INPUTS_MS"
PRESET, RATIO = "PRESET", "RATIO"
TRAINING_MINUTES, TRAINING_STEPS, RESUME = "TRAINING_MINUTES", "TRAINING_STEPS", "RESUME"
PSF_SIGMA, KERNEL_SIZE, PHASE = "PSF_SIGMA", "KERNEL_SIZE", "PHASE"
DEVICE, SEED, MODEL_OUTPUT = "DEVICE", "SEED", "MODEL_OUTPUT"
LOSS_TABLE, LOSS_CURVE = "LOSS_TABLE", "LOSS_CURVE"

_REAL = QgsProcessingParameterNumber.Type.Double
_WHOLE = QgsProcessingParameterNumber.Type.Integer
_RASTERS = QgsProcessing.SourceType.TypeRaster

# By output name: what the dialog calls it, and its name in the engine's result.
NUMBERS = {
    "STEPS": ("Training steps", "STEPS"),
    "BEST_STEP": ("Step of the weights kept", "BEST_STEP"),
    "VALIDATION_SHARE": ("Error on pixels kept out, over the start's", "VALIDATION_SHARE"),
    "IMAGES": ("Images trained on", "IMAGES"),
}


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_material(), *_course(), *map(advanced, _knobs())]


def _material() -> list[QgsProcessingParameterDefinition]:
    many = QgsProcessingParameterMultipleLayers
    return [
        many(REFERENCES, tr("References (hyperspectral, fine)"), _RASTERS, optional=True),
        QgsProcessingParameterFile(
            FOLDER,
            tr("Folder of a benchmark"),
            QgsProcessingParameterFile.Behavior.Folder,
            optional=True,
        ),
        _choice(LAYOUT, tr("Layout of the benchmark"), LAYOUTS),
        many(INPUTS_HS, tr("Hyperspectral layers of ready pairs"), _RASTERS, optional=True),
        many(INPUTS_MS, tr("Multispectral layers of ready pairs"), _RASTERS, optional=True),
    ]


def _course() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(
            RATIO,
            tr("Ratio (empty for the preset's)"),
            _REAL,
            optional=True,
            minValue=LEAST_RATIO,
            maxValue=GREATEST_RATIO,
        ),
        *response_parameters(),
        _choice(PRESET, tr("Settings of training"), PRESETS),
        number(
            TRAINING_MINUTES,
            tr("Training time (minutes, empty for the preset's)"),
            _REAL,
            optional=True,
            minValue=0.001,
        ),
        QgsProcessingParameterFileDestination(
            MODEL_OUTPUT, tr("Trained model"), fileFilter="Safetensors (*.safetensors)"
        ),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(
            TRAINING_STEPS,
            tr("Training steps (in place of the time)"),
            _WHOLE,
            optional=True,
            minValue=1,
        ),
        QgsProcessingParameterBoolean(
            RESUME, tr("Go on with a training that was stopped"), defaultValue=True
        ),
        number(
            PSF_SIGMA,
            tr("Standard deviation of the sensor's blur (coarse pixels)"),
            _REAL,
            optional=True,
            minValue=0.0,
            maxValue=GREATEST_SIGMA,
        ),
        number(
            KERNEL_SIZE, tr("Side of the blur's kernel (pixels)"), _WHOLE, optional=True, minValue=1
        ),
        _choice(PHASE, tr("Phase"), PHASES),
        _choice(DEVICE, tr("Device"), DEVICES),
        number(SEED, tr("Random seed"), _WHOLE, 0, minValue=0),
    ]


def _choice(name: str, text: str, words: tuple[str, ...]) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterEnum(
        name, text, list(words), defaultValue=words[0], usesStaticStrings=True
    )


def other_outputs() -> list[QgsProcessingOutputDefinition]:
    """What a run gives besides the model."""
    numbers = [QgsProcessingOutputNumber(name, tr(text)) for name, (text, _) in NUMBERS.items()]
    return [
        *numbers,
        QgsProcessingOutputFile(LOSS_TABLE, tr("Loss curve (table)")),
        QgsProcessingOutputFile(LOSS_CURVE, tr("Loss curve (picture)")),
    ]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    stated = stated_path(values.get(MODEL_OUTPUT))
    check_suffix(stated or None, ".safetensors", "A model")
    check_outputs(_request(algorithm, values, context, stated or "a temporary.safetensors"))
    lists = (REFERENCES, INPUTS_HS, INPUTS_MS)
    return {**values, **{name: list(_layers(values, name, context)) for name in lists}}


def train_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> TrainRequest:
    """The request that these parameter values make; RasdError where they make none.

    A temporary output gets its name here, so it is called once a run.
    """
    output = algorithm.parameterAsFileOutput(values, MODEL_OUTPUT, context)
    request = _request(algorithm, values, context, output)
    check_outputs(request)
    return request


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    output: str,
) -> TrainRequest:
    real, whole = algorithm.parameterAsDouble, algorithm.parameterAsInt
    sources = {
        name: tuple(raster_source(layer) for layer in _layers(values, name, context))
        for name in (REFERENCES, INPUTS_HS, INPUTS_MS)
    }
    return TrainRequest(
        run_id=secrets.token_hex(8),
        model_output=output,
        references=sources[REFERENCES],
        folder=algorithm.parameterAsFile(values, FOLDER, context) or None,
        layout=algorithm.parameterAsEnumString(values, LAYOUT, context),
        hyperspectral=sources[INPUTS_HS],
        multispectral=sources[INPUTS_MS],
        preset=algorithm.parameterAsEnumString(values, PRESET, context),
        minutes=optional(real, values, TRAINING_MINUTES, context),
        steps=optional(whole, values, TRAINING_STEPS, context),
        resume=algorithm.parameterAsBool(values, RESUME, context),
        ratio=optional(real, values, RATIO, context),
        psf_sigma=optional(real, values, PSF_SIGMA, context),
        kernel_size=optional(whole, values, KERNEL_SIZE, context),
        phase=algorithm.parameterAsEnumString(values, PHASE, context),
        **response_values(algorithm, values, context),
        device=algorithm.parameterAsEnumString(values, DEVICE, context),
        seed=whole(values, SEED, context),
        provenance=provenance("rasd:train"),
    )


def _layers(
    values: dict[str, Any], name: str, context: QgsProcessingContext
) -> Iterator[QgsRasterLayer]:
    """The layers that a list names; InputError for one that QGIS cannot open."""
    for one in _flat(values.get(name)):
        layer = one
        if isinstance(one, str):
            layer = QgsProcessingUtils.mapLayerFromString(one, context) or subdataset(one)
        if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
            raise InputError(
                f"{name}: “{one}” cannot be opened as a raster.",
                "Check that the file exists, is complete, and opens in QGIS.",
            )
        yield layer


def _flat(value: Any) -> Iterator[Any]:
    """The members of a list, of lists within it (a model's lists of layers), or a single one."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _flat(one)
    elif not is_empty(value):
        yield value
