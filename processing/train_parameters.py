"""The parameters of rasd:train: what they are, and the request that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputFile,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingUtils,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.request import TrainRequest
from ..rasd_qgis.contract.simulate_request import (
    GREATEST_RATIO,
    LEAST_RATIO,
    PHASES,
)
from ..rasd_qgis.contract.train_request import LAYOUTS, PRESETS
from . import fields
from .fields import DEVICE, KERNEL_SIZE, PSF_SIGMA, SEED
from .layers import raster_source
from .outputs import check_outputs, check_suffix, stated_path
from .simulate_parameters import response_parameters, response_values
from .translation import mark, tr
from .values import Numbers, is_empty, numbers_of, optional, run_of, subdataset, unreadable

REFERENCES, FOLDER, LAYOUT = "REFERENCES", "FOLDER", "LAYOUT"
INPUTS_HS, INPUTS_MS = "INPUTS_HS", "INPUTS_MS"
PRESET, RATIO = "PRESET", "RATIO"
TRAINING_MINUTES, TRAINING_STEPS, RESUME = "TRAINING_MINUTES", "TRAINING_STEPS", "RESUME"
PHASE, MODEL_OUTPUT = "PHASE", "MODEL_OUTPUT"
LOSS_TABLE, LOSS_CURVE = "LOSS_TABLE", "LOSS_CURVE"

_RASTERS = QgsProcessing.SourceType.TypeRaster

NUMBERS: Numbers = {
    "STEPS": (mark("Training steps"), "STEPS"),
    "BEST_STEP": (mark("Step of the weights kept"), "BEST_STEP"),
    "VALIDATION_SHARE": (mark("Error on pixels kept out, over the start's"), "VALIDATION_SHARE"),
    "IMAGES": (mark("Images trained on"), "IMAGES"),
}


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_material(), *_course(), *map(fields.advanced, _knobs())]


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
        fields.choice(LAYOUT, tr("Layout of the benchmark"), LAYOUTS),
        many(INPUTS_HS, tr("Hyperspectral layers of ready pairs"), _RASTERS, optional=True),
        many(INPUTS_MS, tr("Multispectral layers of ready pairs"), _RASTERS, optional=True),
    ]


def _course() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(
            RATIO,
            tr("Ratio (empty for the preset's)"),
            fields.REAL,
            optional=True,
            minValue=LEAST_RATIO,
            maxValue=GREATEST_RATIO,
        ),
        *response_parameters(),
        fields.choice(PRESET, tr("Settings of training"), PRESETS),
        number(
            TRAINING_MINUTES,
            tr("Training time (minutes, empty for the preset's)"),
            fields.REAL,
            optional=True,
            minValue=0.001,
        ),
        QgsProcessingParameterFileDestination(
            MODEL_OUTPUT, tr("Trained model"), fileFilter=fields.SAFETENSORS
        ),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(
            TRAINING_STEPS,
            tr("Training steps (in place of the time)"),
            fields.WHOLE,
            optional=True,
            minValue=1,
        ),
        QgsProcessingParameterBoolean(
            RESUME, tr("Go on with a training that was stopped"), defaultValue=True
        ),
        fields.psf_sigma(),
        fields.kernel_size(),
        fields.choice(PHASE, tr("Phase"), PHASES),
        fields.device(),
        fields.seed(),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """What a run gives besides the model."""
    return [
        *fields.number_outputs(NUMBERS),
        QgsProcessingOutputFile(LOSS_TABLE, tr("Loss curve (table)")),
        QgsProcessingOutputFile(LOSS_CURVE, tr("Loss curve (picture)")),
    ]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    stated = stated_path(values.get(MODEL_OUTPUT))
    check_suffix(stated or None, ".safetensors", tr("A model"))
    check_outputs(_request(algorithm, values, context, stated or "a temporary.safetensors"))
    lists = (REFERENCES, INPUTS_HS, INPUTS_MS)
    return {**values, **{name: list(_layers(values, name, context)) for name in lists}}


def make_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> TrainRequest:
    """The request that these parameter values make; RasdError where they make none.

    A temporary output gets its name here, so it is called once a run.
    """
    output = algorithm.parameterAsFileOutput(values, MODEL_OUTPUT, context)
    return _request(algorithm, values, context, output)


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
        **run_of("rasd:train"),
    )


def title(request: TrainRequest) -> str:
    """The model's name."""
    return Path(request.model_output).stem


def results(request: TrainRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths and figures by output name."""
    model = Path(request.model_output)
    return {
        MODEL_OUTPUT: request.model_output,
        LOSS_TABLE: str(model.with_name(model.stem + ".loss.csv")),
        LOSS_CURVE: str(model.with_name(model.stem + ".loss.png")),
        **numbers_of(NUMBERS, values),
    }


def _layers(
    values: dict[str, Any], name: str, context: QgsProcessingContext
) -> Iterator[QgsRasterLayer]:
    """The layers that a list names; InputError for one that QGIS cannot open."""
    for one in _flat(values.get(name)):
        layer = one
        if isinstance(one, str):
            layer = QgsProcessingUtils.mapLayerFromString(one, context) or subdataset(one)
        if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
            raise unreadable(name, one)
        yield layer


def _flat(value: Any) -> Iterator[Any]:
    """The members of a list, of lists within it (a model's lists of layers), or a single one."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _flat(one)
    elif not is_empty(value):
        yield value
