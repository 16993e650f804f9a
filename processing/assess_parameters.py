"""The parameters of rasd:assess: what they are, and the request that they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ..rasd_qgis.contract.assess_request import PEAKS
from ..rasd_qgis.contract.request import AssessRequest
from . import fields
from .fields import INPUT_HS, INPUT_MS, PSF_SIGMA
from .layers import raster_source
from .outputs import check_outputs, check_suffix, paths_for_run, stated_path
from .translation import mark, tr
from .values import (
    Numbers,
    is_empty,
    numbers_of,
    optional,
    optional_source,
    raster_layer,
    run_of,
    with_layers,
)

INPUT, REFERENCE, RATIO = "INPUT", "REFERENCE", "RATIO"
PEAK, PEAK_VALUE = "PEAK", "PEAK_VALUE"
ERROR_MAP, SAM_MAP, REPORT, BY_BAND = "ERROR_MAP", "SAM_MAP", "REPORT", "BY_BAND"


NUMBERS: Numbers = {
    "PSNR": (mark("PSNR (dB)"), "PSNR"),
    "SAM": (mark("Spectral angle (degrees)"), "SAM"),
    "ERGAS": (mark("ERGAS"), "ERGAS"),
    "SSIM": (mark("SSIM"), "SSIM"),
    "UIQI": (mark("UIQI"), "UIQI"),
    "Q2N": (mark("Q2ⁿ"), "Q2N"),
    "RMSE": (mark("RMSE"), "RMSE"),
    "CORRELATION": (mark("Correlation"), "CORRELATION"),
    "PEAK_USED": (mark("Peak used"), "PEAK"),
    "PIXELS": (mark("Pixels compared with the reference"), "PIXELS"),
    "D_LAMBDA": (mark("Spectral distortion D_λ"), "D_LAMBDA"),
    "D_S": (mark("Spatial distortion D_s"), "D_S"),
    "QNR": (mark("QNR"), "QNR"),
    "CONSISTENCY_HS": (mark("Relative RMSE to the hyperspectral input"), "CONSISTENCY_HS"),
    "CONSISTENCY_MS": (mark("Relative RMSE to the multispectral input"), "CONSISTENCY_MS"),
    "RATIO_USED": (mark("Ratio used"), "RATIO"),
}


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    return [*_inputs(), *_outputs(), *map(fields.advanced, _knobs())]


def _inputs() -> list[QgsProcessingParameterDefinition]:
    layer = QgsProcessingParameterRasterLayer
    return [
        layer(INPUT, tr("Fused layer")),
        layer(REFERENCE, tr("Reference"), optional=True),
        layer(INPUT_HS, tr("Hyperspectral layer that was fused"), optional=True),
        layer(INPUT_MS, tr("Multispectral layer that was fused"), optional=True),
        fields.choice(PEAK, tr("Peak of PSNR and SSIM"), PEAKS),
        QgsProcessingParameterNumber(
            PEAK_VALUE, tr("Peak (for peak “value”)"), fields.REAL, optional=True, minValue=0.0
        ),
    ]


def _outputs() -> list[QgsProcessingParameterDefinition]:
    return [
        fields.optional_raster(ERROR_MAP, tr("Error map")),
        fields.optional_raster(SAM_MAP, tr("Spectral angle map")),
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
            fields.REAL,
            optional=True,
            minValue=1.0,
        ),
        fields.psf_sigma(),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """The figures of a run, for models to use."""
    return [
        *fields.number_outputs(NUMBERS),
        QgsProcessingOutputString(BY_BAND, tr("Figures by band (JSON)")),
    ]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    paths = {name: stated_path(values.get(name)) for name in (ERROR_MAP, SAM_MAP, REPORT)}
    check_outputs(_request(algorithm, values, context, paths))
    return with_layers(algorithm, values, (INPUT, REFERENCE, INPUT_HS, INPUT_MS), context)


def make_request(
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
    paths = paths_for_run(algorithm, values, maps, context)
    paths[REPORT] = algorithm.parameterAsFileOutput(values, REPORT, context)
    return _request(algorithm, values, context, paths)


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    paths: Mapping[str, str],
) -> AssessRequest:
    real = algorithm.parameterAsDouble
    check_suffix(paths.get(REPORT), ".html", tr("A report"))
    return AssessRequest(
        fused=raster_source(raster_layer(algorithm, values, INPUT, context)),
        reference=optional_source(algorithm, values, REFERENCE, context),
        hyperspectral=optional_source(algorithm, values, INPUT_HS, context),
        multispectral=optional_source(algorithm, values, INPUT_MS, context),
        error_map=paths.get(ERROR_MAP) or None,
        angle_map=paths.get(SAM_MAP) or None,
        report=paths.get(REPORT) or None,
        peak=algorithm.parameterAsEnumString(values, PEAK, context),
        peak_value=optional(real, values, PEAK_VALUE, context),
        ratio=optional(real, values, RATIO, context),
        psf_sigma=optional(real, values, PSF_SIGMA, context),
        **run_of("rasd:assess"),
    )


def title(request: AssessRequest) -> str:
    """What the run is called after."""
    return request.fused.name


def results(request: AssessRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths and figures by output name; those by band as JSON, lists by name."""
    by_band = values.get("BY_BAND")
    return {
        ERROR_MAP: request.error_map,
        SAM_MAP: request.angle_map,
        REPORT: request.report,
        **numbers_of(NUMBERS, values),
        BY_BAND: json.dumps(by_band) if by_band else None,
    }
