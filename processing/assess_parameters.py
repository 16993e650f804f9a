"""The parameters of rasd:assess: what they are, and the request that they make."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..rasd_qgis.contract.assess_request import PEAKS
from ..rasd_qgis.contract.request import AssessRequest
from .layers import raster_source
from .outputs import check_outputs, check_suffix, stated_path
from .translation import tr
from .values import (
    advanced,
    is_empty,
    optional,
    optional_source,
    provenance,
    raster_layer,
    with_layers,
)

INPUT, REFERENCE, INPUT_HS, INPUT_MS = "INPUT", "REFERENCE", "INPUT_HS", "INPUT_MS"
PEAK, PEAK_VALUE, RATIO, PSF_SIGMA = "PEAK", "PEAK_VALUE", "RATIO", "PSF_SIGMA"
ERROR_MAP, SAM_MAP, REPORT, BY_BAND = "ERROR_MAP", "SAM_MAP", "REPORT", "BY_BAND"

_REAL = QgsProcessingParameterNumber.Type.Double

# By output name: what the dialog calls it, and its name in the engine's result.
NUMBERS = {
    "PSNR": ("PSNR (dB)", "PSNR"),
    "SAM": ("Spectral angle (degrees)", "SAM"),
    "ERGAS": ("ERGAS", "ERGAS"),
    "SSIM": ("SSIM", "SSIM"),
    "UIQI": ("UIQI", "UIQI"),
    "Q2N": ("Q2ⁿ", "Q2N"),
    "RMSE": ("RMSE", "RMSE"),
    "CORRELATION": ("Correlation", "CORRELATION"),
    "PEAK_USED": ("Peak used", "PEAK"),
    "PIXELS": ("Pixels compared with the reference", "PIXELS"),
    "D_LAMBDA": ("Spectral distortion D_λ", "D_LAMBDA"),
    "D_S": ("Spatial distortion D_s", "D_S"),
    "QNR": ("QNR", "QNR"),
    "CONSISTENCY_HS": ("Relative RMSE to the hyperspectral input", "CONSISTENCY_HS"),
    "CONSISTENCY_MS": ("Relative RMSE to the multispectral input", "CONSISTENCY_MS"),
    "RATIO_USED": ("Ratio used", "RATIO"),
}


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_inputs(), *_outputs(), *map(advanced, _knobs())]


def _inputs() -> list[QgsProcessingParameterDefinition]:
    layer = QgsProcessingParameterRasterLayer
    return [
        layer(INPUT, tr("Fused layer")),
        layer(REFERENCE, tr("Reference"), optional=True),
        layer(INPUT_HS, tr("Hyperspectral layer that was fused"), optional=True),
        layer(INPUT_MS, tr("Multispectral layer that was fused"), optional=True),
        QgsProcessingParameterEnum(
            PEAK,
            tr("Peak of PSNR and SSIM"),
            list(PEAKS),
            defaultValue=PEAKS[0],
            usesStaticStrings=True,
        ),
        QgsProcessingParameterNumber(
            PEAK_VALUE, tr("Peak (for peak “value”)"), _REAL, optional=True, minValue=0.0
        ),
    ]


def _outputs() -> list[QgsProcessingParameterDefinition]:
    return [
        QgsProcessingParameterRasterDestination(
            ERROR_MAP, tr("Error map"), optional=True, createByDefault=True
        ),
        QgsProcessingParameterRasterDestination(
            SAM_MAP, tr("Spectral angle map"), optional=True, createByDefault=True
        ),
        QgsProcessingParameterFileDestination(
            REPORT,
            tr("Report"),
            fileFilter="HTML (*.html)",
            optional=True,
            createByDefault=True,
        ),
    ]


def _knobs() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    return [
        number(
            RATIO,
            tr("Ratio for ERGAS (empty: that of the hyperspectral layer)"),
            _REAL,
            optional=True,
            minValue=1.0,
        ),
        number(
            PSF_SIGMA,
            tr("Standard deviation of the sensor's blur (coarse pixels)"),
            _REAL,
            optional=True,
            minValue=0.0,
            maxValue=10.0,
        ),
    ]


def other_outputs() -> list[QgsProcessingOutputDefinition]:
    """The figures of a run, for models to use."""
    numbers = [QgsProcessingOutputNumber(name, tr(text)) for name, (text, _) in NUMBERS.items()]
    return [*numbers, QgsProcessingOutputString(BY_BAND, tr("Figures by band (JSON)"))]


def by_band_text(values: Mapping[str, Any]) -> str | None:
    """The figures by band as JSON, lists by name; None where there are none."""
    figures = values.get("BY_BAND")
    return json.dumps(figures) if figures else None


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    outputs = {name: stated_path(values.get(name)) for name in (ERROR_MAP, SAM_MAP, REPORT)}
    check_outputs(_request(algorithm, values, context, outputs))
    return with_layers(algorithm, values, (INPUT, REFERENCE, INPUT_HS, INPUT_MS), context)


def assess_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> AssessRequest:
    """The request that these parameter values make; RasdError where they make none.

    Maps need a reference: without one those that are made by default are left out, and those asked
    for by name are refused. Temporary outputs get their names here, so it is called once a run.
    """
    maps = [
        name
        for name in (ERROR_MAP, SAM_MAP)
        if not is_empty(values.get(REFERENCE)) or stated_path(values.get(name))
    ]
    outputs = {name: algorithm.parameterAsOutputLayer(values, name, context) for name in maps}
    outputs[REPORT] = algorithm.parameterAsFileOutput(values, REPORT, context)
    request = _request(algorithm, values, context, outputs)
    check_outputs(request)
    return request


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    outputs: Mapping[str, str],
) -> AssessRequest:
    real = algorithm.parameterAsDouble
    check_suffix(outputs.get(REPORT), ".html", "A report")
    return AssessRequest(
        run_id=secrets.token_hex(8),
        fused=raster_source(raster_layer(algorithm, values, INPUT, context)),
        reference=optional_source(algorithm, values, REFERENCE, context),
        hyperspectral=optional_source(algorithm, values, INPUT_HS, context),
        multispectral=optional_source(algorithm, values, INPUT_MS, context),
        error_map=outputs.get(ERROR_MAP) or None,
        angle_map=outputs.get(SAM_MAP) or None,
        report=outputs.get(REPORT) or None,
        peak=algorithm.parameterAsEnumString(values, PEAK, context),
        peak_value=optional(real, values, PEAK_VALUE, context),
        ratio=optional(real, values, RATIO, context),
        psf_sigma=optional(real, values, PSF_SIGMA, context),
        provenance=provenance("rasd:assess"),
    )
