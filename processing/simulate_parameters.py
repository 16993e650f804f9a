"""The parameters of rasd:simulate: what they are, and the request that they make."""

from __future__ import annotations

import secrets
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..rasd_qgis.contract.request import SimulateRequest
from ..rasd_qgis.contract.simulate_request import (
    GREATEST_MTF,
    GREATEST_RATIO,
    GREATEST_SIGMA,
    GREATEST_SNR,
    LEAST_MTF,
    LEAST_RATIO,
    PHASES,
    RESPONSES,
    SENSORS,
)
from .layers import raster_source
from .outputs import check_outputs, stated_path
from .translation import tr
from .values import advanced, extent, optional, provenance, raster_layer, with_layers

INPUT, RATIO, PSF_SIGMA, MTF, EXTENT = "INPUT", "RATIO", "PSF_SIGMA", "MTF", "EXTENT"
RESPONSE, SENSOR, RESPONSE_FILE = "RESPONSE", "SENSOR", "RESPONSE_FILE"
BANDS, RANDOM_BANDS = "BANDS", "RANDOM_BANDS"
SNR_HS, SNR_MS = "SNR_HS", "SNR_MS"
KERNEL_SIZE, PHASE, SEED = "KERNEL_SIZE", "PHASE", "SEED"
OUTPUT_HS, OUTPUT_MS = "OUTPUT_HS", "OUTPUT_MS"
GUIDE_BAND_NAMES = "GUIDE_BAND_NAMES"

_REAL = QgsProcessingParameterNumber.Type.Double
_WHOLE = QgsProcessingParameterNumber.Type.Integer

# By output name: what the dialog calls it, and its name in the engine's result.
NUMBERS = {
    "PSF_SIGMA_USED": ("Standard deviation of the blur (coarse pixels)", "PSF_SIGMA"),
    "MTF_USED": ("MTF at Nyquist", "MTF"),
    "GUIDE_BANDS": ("Bands of the multispectral layer", "GUIDE_BANDS"),
}


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_inputs(), *_outputs(), *map(advanced, _knobs())]


def _inputs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        QgsProcessingParameterRasterLayer(INPUT, tr("Reference (hyperspectral, fine)")),
        number(RATIO, tr("Ratio"), _REAL, 4.0, minValue=LEAST_RATIO, maxValue=GREATEST_RATIO),
        *response_parameters(),
        _decibels(SNR_HS, tr("Signal-to-noise ratio of the hyperspectral layer (dB)")),
        _decibels(SNR_MS, tr("Signal-to-noise ratio of the multispectral layer (dB)")),
        QgsProcessingParameterExtent(EXTENT, tr("Extent to use"), optional=True),
    ]


def response_parameters() -> list[QgsProcessingParameterDefinition]:
    """How the multispectral sensor sees a reference."""
    number, choice = QgsProcessingParameterNumber, QgsProcessingParameterEnum
    return [
        choice(
            RESPONSE,
            tr("Response of the multispectral sensor"),
            list(RESPONSES),
            defaultValue=RESPONSES[0],
            usesStaticStrings=True,
        ),
        choice(
            SENSOR,
            tr("Sensor (for response “sensor”)"),
            list(SENSORS),
            defaultValue=SENSORS[0],
            usesStaticStrings=True,
        ),
        QgsProcessingParameterFile(
            RESPONSE_FILE,
            tr("Table (for response “table”)"),
            optional=True,
            fileFilter=tr("Tables (*.csv *.txt)"),
        ),
        QgsProcessingParameterString(
            BANDS, tr("Bands of the sensor or table, such as B2,B3,B4"), optional=True
        ),
        number(
            RANDOM_BANDS,
            tr("Number of bands (for response “random”)"),
            _WHOLE,
            4,
            minValue=1,
            maxValue=64,
        ),
    ]


def response_values(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """The fields of a request that `response_parameters` fill."""
    bands = algorithm.parameterAsString(values, BANDS, context) or ""
    return {
        "response": algorithm.parameterAsEnumString(values, RESPONSE, context),
        "sensor": algorithm.parameterAsEnumString(values, SENSOR, context),
        "table": algorithm.parameterAsFile(values, RESPONSE_FILE, context) or None,
        "bands": tuple(name.strip() for name in bands.split(",") if name.strip()),
        "random_bands": algorithm.parameterAsInt(values, RANDOM_BANDS, context),
    }


def _decibels(name: str, text: str) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterNumber(
        name, text, _REAL, optional=True, minValue=0.0, maxValue=GREATEST_SNR
    )


def _outputs() -> list[QgsProcessingParameterDefinition]:
    return [
        QgsProcessingParameterRasterDestination(OUTPUT_HS, tr("Hyperspectral")),
        QgsProcessingParameterRasterDestination(OUTPUT_MS, tr("Multispectral")),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(
            PSF_SIGMA,
            tr("Standard deviation of the sensor's blur (coarse pixels)"),
            _REAL,
            optional=True,
            minValue=0.0,
            maxValue=GREATEST_SIGMA,
        ),
        number(
            MTF,
            tr("MTF at Nyquist (in place of the standard deviation)"),
            _REAL,
            optional=True,
            minValue=LEAST_MTF,
            maxValue=GREATEST_MTF,
        ),
        number(
            KERNEL_SIZE, tr("Side of the blur's kernel (pixels)"), _WHOLE, optional=True, minValue=1
        ),
        QgsProcessingParameterEnum(
            PHASE, tr("Phase"), list(PHASES), defaultValue=PHASES[0], usesStaticStrings=True
        ),
        number(SEED, tr("Random seed"), _WHOLE, 0, minValue=0),
    ]


def other_outputs() -> list[QgsProcessingOutputDefinition]:
    """What a run tells besides its layers, for models to use."""
    numbers = [QgsProcessingOutputNumber(name, tr(text)) for name, (text, _) in NUMBERS.items()]
    names = QgsProcessingOutputString(GUIDE_BAND_NAMES, tr("Names of the multispectral bands"))
    return [*numbers, names]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    outputs = {name: stated_path(values.get(name)) for name in (OUTPUT_HS, OUTPUT_MS)}
    placeholders = {name: path or f"a temporary file for {name}" for name, path in outputs.items()}
    check_outputs(_request(algorithm, values, context, placeholders))
    return with_layers(algorithm, values, (INPUT,), context)


def simulate_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> SimulateRequest:
    """The request that these parameter values make; RasdError where they make none.

    Temporary outputs get their names here, so it is called once a run.
    """
    outputs = {
        name: algorithm.parameterAsOutputLayer(values, name, context)
        for name in (OUTPUT_HS, OUTPUT_MS)
    }
    request = _request(algorithm, values, context, outputs)
    check_outputs(request)
    return request


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    outputs: dict[str, str],
) -> SimulateRequest:
    reference = raster_layer(algorithm, values, INPUT, context)
    real = algorithm.parameterAsDouble
    return SimulateRequest(
        run_id=secrets.token_hex(8),
        reference=raster_source(reference),
        coarse_output=outputs[OUTPUT_HS],
        guide_output=outputs[OUTPUT_MS],
        ratio=real(values, RATIO, context),
        psf_sigma=optional(real, values, PSF_SIGMA, context),
        mtf=optional(real, values, MTF, context),
        kernel_size=optional(algorithm.parameterAsInt, values, KERNEL_SIZE, context),
        phase=algorithm.parameterAsEnumString(values, PHASE, context),
        **response_values(algorithm, values, context),
        snr_coarse=optional(real, values, SNR_HS, context),
        snr_guide=optional(real, values, SNR_MS, context),
        extent=extent(algorithm, values, EXTENT, reference.crs(), context),
        seed=algorithm.parameterAsInt(values, SEED, context),
        provenance=provenance("rasd:simulate"),
    )
