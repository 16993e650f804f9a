"""rasd:assess: a fused layer in, figures, maps and a report of how good it is out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsRasterLayer

from ..rasd_qgis.contract.request import AssessRequest
from . import assess_parameters as names
from .base import one_line_paragraphs
from .engine_algorithm import EngineAlgorithm, Raster
from .styles import Look, error_ramp
from .translation import tr


class AssessAlgorithm(EngineAlgorithm[AssessRequest]):
    """Assess a fused layer."""

    icon_name = "assess.svg"

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "assess"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Assess a fused layer")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        words = tr(
            "quality,accuracy,error,reference,PSNR,SAM,spectral angle,ERGAS,SSIM,UIQI,Q2n,QNR,"
            "RMSE,correlation,consistency,report,hyperspectral,fusion"
        )
        return words.split(",")

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Measures a fused raster against a reference, or against its two inputs.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in names.parameters():
            self.addParameter(parameter)
        for output in names.other_outputs():
            self.addOutput(output)

    def check_values(self, values: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """The values as QGIS's own checks understand them."""
        return names.check(self, values, context)

    def make_request(self, values: dict[str, Any], context: QgsProcessingContext) -> AssessRequest:
        """The request that these values make."""
        return names.assess_request(self, values, context)

    def results(self, request: AssessRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """Paths and figures by output name."""
        return {
            names.ERROR_MAP: request.error_map,
            names.SAM_MAP: request.angle_map,
            names.REPORT: request.report,
            **{name: values.get(word) for name, (_, word) in names.NUMBERS.items()},
            names.BY_BAND: names.by_band_text(values),
        }

    def rasters(self, request: AssessRequest) -> list[Raster]:
        """The maps that are asked for."""
        title = self.title(request)
        wanted = (
            (names.ERROR_MAP, request.error_map, tr("{} error")),
            (names.SAM_MAP, request.angle_map, tr("{} spectral angle")),
        )
        return [Raster(name, path, text.format(title)) for name, path, text in wanted if path]

    def find_look(self, raster: Raster, values: Mapping[str, Any]) -> Look:
        """The ramp, from 0 to what nearly all pixels stay below."""
        return error_ramp(QgsRasterLayer(raster.path, "map", "gdal"))

    def title(self, request: AssessRequest) -> str:
        """The fused layer's name."""
        return request.fused.name

    def history(self, request: AssessRequest, values: Mapping[str, Any]) -> str:
        """One line that says where the result comes from."""
        facts = request.provenance
        reference = request.reference.path if request.reference else "no reference"
        return (
            f"{facts['started']} {facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']}): "
            f"{request.fused.path} against {reference}"
        )


_HELP = """Measures how good a fused layer is.

With a reference, which must stand on the same pixels: PSNR (mean over the bands), SAM (degrees),
ERGAS, SSIM, UIQI, Q2ⁿ, RMSE and correlation; a map of the error and one of the spectral angle.

With the two layers that were fused, both of them: QNR with its D_λ and D_s (as the guide has
several bands, D_s is the mean over all pairs of a hyperspectral and a guide band), and the
consistency: how far the fused layer, seen by either sensor again, is from that sensor's layer, as a
share of its range.

Peak of PSNR and SSIM: “maximum” is the reference's greatest value, “band” each band's own, “value”
the one given, which is in units of scaled values.

Invalid pixels, and bands flagged bad in either layer, count for nothing. Black reference pixels
have no angle, constant bands no correlation; what cannot be told is left out, never a wrong number.

The report is one HTML file with everything inside it. Every figure is an output of its own for
models; those by band are one text (JSON), which from_json() of QGIS's expressions reads.
"""
