"""The parameters of rasd:simulate: what they are, and the request that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
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
    GREATEST_SNR,
    LEAST_MTF,
    LEAST_RATIO,
    PHASES,
    RESPONSES,
    SENSORS,
)
from . import fields
from .fields import KERNEL_SIZE, PSF_SIGMA, SEED
from .layers import raster_source
from .outputs import check_outputs, path_for_check, paths_for_run
from .translation import mark, tr
from .values import Numbers, extent, numbers_of, optional, raster_layer, run_of, with_layers

INPUT, RATIO, MTF, EXTENT = "INPUT", "RATIO", "MTF", "EXTENT"
RESPONSE, SENSOR, RESPONSE_FILE = "RESPONSE", "SENSOR", "RESPONSE_FILE"
BANDS, RANDOM_BANDS = "BANDS", "RANDOM_BANDS"
SNR_HS, SNR_MS, PHASE = "SNR_HS", "SNR_MS", "PHASE"
OUTPUT_HS, OUTPUT_MS = "OUTPUT_HS", "OUTPUT_MS"
GUIDE_BAND_NAMES = "GUIDE_BAND_NAMES"


NUMBERS: Numbers = {
    "PSF_SIGMA_USED": (mark("Standard deviation of the blur (coarse pixels)"), "PSF_SIGMA"),
    "MTF_USED": (mark("MTF at Nyquist"), "MTF"),
    "GUIDE_BANDS": (mark("Bands of the multispectral layer"), "GUIDE_BANDS"),
}


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_inputs(), *_outputs(), *map(fields.advanced, _knobs())]


def _inputs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        QgsProcessingParameterRasterLayer(INPUT, tr("Reference (hyperspectral, fine)")),
        number(RATIO, tr("Ratio"), fields.REAL, 4.0, minValue=LEAST_RATIO, maxValue=GREATEST_RATIO),
        *response_parameters(),
        _decibels(SNR_HS, tr("Signal-to-noise ratio of the hyperspectral layer (dB)")),
        _decibels(SNR_MS, tr("Signal-to-noise ratio of the multispectral layer (dB)")),
        QgsProcessingParameterExtent(EXTENT, tr("Extent to use"), optional=True),
    ]


def response_parameters() -> list[QgsProcessingParameterDefinition]:
    """How the multispectral sensor sees a reference."""
    number = QgsProcessingParameterNumber
    return [
        fields.choice(RESPONSE, tr("Response of the multispectral sensor"), RESPONSES),
        fields.choice(SENSOR, tr("Sensor (for response “sensor”)"), SENSORS),
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
            fields.WHOLE,
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
        name, text, fields.REAL, optional=True, minValue=0.0, maxValue=GREATEST_SNR
    )


def _outputs() -> list[QgsProcessingParameterDefinition]:
    return [
        QgsProcessingParameterRasterDestination(OUTPUT_HS, tr("Hyperspectral")),
        QgsProcessingParameterRasterDestination(OUTPUT_MS, tr("Multispectral")),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        fields.psf_sigma(),
        number(
            MTF,
            tr("MTF at Nyquist (in place of the standard deviation)"),
            fields.REAL,
            optional=True,
            minValue=LEAST_MTF,
            maxValue=GREATEST_MTF,
        ),
        fields.kernel_size(),
        fields.choice(PHASE, tr("Phase"), PHASES),
        fields.seed(),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """What a run tells besides its layers, for models to use."""
    names = QgsProcessingOutputString(GUIDE_BAND_NAMES, tr("Names of the multispectral bands"))
    return [*fields.number_outputs(NUMBERS), names]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    paths = {name: path_for_check(values.get(name), name) for name in (OUTPUT_HS, OUTPUT_MS)}
    check_outputs(_request(algorithm, values, context, paths))
    return with_layers(algorithm, values, (INPUT,), context)


def make_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> SimulateRequest:
    """The request that these parameter values make, called once a run; RasdError for none."""
    paths = paths_for_run(algorithm, values, (OUTPUT_HS, OUTPUT_MS), context)
    return _request(algorithm, values, context, paths)


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    paths: dict[str, str],
) -> SimulateRequest:
    reference = raster_layer(algorithm, values, INPUT, context)
    real = algorithm.parameterAsDouble
    return SimulateRequest(
        reference=raster_source(reference),
        coarse_output=paths[OUTPUT_HS],
        guide_output=paths[OUTPUT_MS],
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
        **run_of("rasd:simulate"),
    )


def title(request: SimulateRequest) -> str:
    """What the run is called after."""
    return request.reference.name


def results(request: SimulateRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths and figures by output name."""
    return {
        OUTPUT_HS: request.coarse_output,
        OUTPUT_MS: request.guide_output,
        **numbers_of(NUMBERS, values),
        GUIDE_BAND_NAMES: ",".join(values.get("GUIDE_BAND_NAMES", ())),
    }
