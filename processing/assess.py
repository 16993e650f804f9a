"""rasd:assess: a fused layer in, figures, maps and a report of how good it is out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rasd_qgis.contract.request import AssessRequest
from . import assess_parameters as names
from .base import Words
from .engine_algorithm import EngineAlgorithm, Raster, errors
from .translation import mark, tr


class AssessAlgorithm(EngineAlgorithm[AssessRequest]):
    """Assess a fused layer."""

    form = names
    words = Words(
        id="assess",
        title=mark("Assess a fused layer"),
        tip=mark("Measures a fused raster against a reference, or against its two inputs."),
        tags=mark(
            "quality,accuracy,error,reference,PSNR,SAM,spectral angle,ERGAS,SSIM,UIQI,Q2n,QNR,"
            "RMSE,correlation,consistency,report,hyperspectral,fusion"
        ),
        icon="assess.svg",
    )

    def rasters(self, request: AssessRequest, title: str) -> list[Raster]:
        """The maps that are asked for."""
        return [
            Raster(names.ERROR_MAP, request.error_map, tr("{} error").format(title), errors),
            Raster(names.SAM_MAP, request.angle_map, tr("{} spectral angle").format(title), errors),
        ]

    def origin(self, request: AssessRequest, values: Mapping[str, Any]) -> str:
        """What was compared with what."""
        reference = request.reference.path if request.reference else "no reference"
        return f"{request.fused.path} against {reference}"
