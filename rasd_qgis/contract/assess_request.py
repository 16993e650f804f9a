"""The request of rasd:assess: a fused raster, and what it can be measured against."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from . import checks
from .errors import RequestError
from .source import RasterSource

PEAKS = ("maximum", "band", "value")


@dataclass(frozen=True)
class AssessRequest:
    """Measure a fused raster against a reference, against its two inputs, or both.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    fused: what is measured. reference: the truth on the same pixels; None where there is none.
    hyperspectral, multispectral: what was fused, both or neither.
    error_map, angle_map, report: final paths; None leaves that output out.
    peak: of PSNR and SSIM: "maximum" is the reference's greatest value, "band" the greatest of each
    band by itself, "value" is `peak_value`, in the units of scaled values.
    ratio: coarse pixel over fine pixel, for ERGAS; None takes it from the hyperspectral raster.
    psf_sigma: of the hyperspectral sensor, in coarse pixels; None has it estimated.
    """

    task: ClassVar[str] = "assess"
    sources: ClassVar[tuple[str, ...]] = ("fused", "reference", "hyperspectral", "multispectral")
    outputs: ClassVar[tuple[str, ...]] = ("error_map", "angle_map", "report")

    run_id: str
    fused: RasterSource
    reference: RasterSource | None = None
    hyperspectral: RasterSource | None = None
    multispectral: RasterSource | None = None
    error_map: str | None = None
    angle_map: str | None = None
    report: str | None = None
    peak: str = "maximum"
    peak_value: float | None = None
    ratio: float | None = None
    psf_sigma: float | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.run_id(self.run_id)
        self._check_sources()
        for name in self.outputs:
            checks.optional_text(name, getattr(self, name))
        checks.one_of("peak", self.peak, PEAKS)
        if self.peak == "value" and self.peak_value is None:
            raise RequestError(
                "The peak is to be a value, but none was given.",
                "Give the greatest value the data could have: 1 for reflectance, 65535 for uint16.",
            )
        if self.peak_value is not None:
            checks.number("peak value", self.peak_value, 1e-30, math.inf)
        if self.ratio is not None:
            checks.number("ratio", self.ratio, 1.0, 1e4)
        if self.psf_sigma is not None:
            checks.number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, 10.0)
        object.__setattr__(self, "provenance", checks.provenance(self.provenance))

    def _check_sources(self) -> None:
        """Raise RequestError where there is nothing to measure, or nothing to measure against."""
        for name in self.sources:
            given = getattr(self, name)
            if not isinstance(given, RasterSource) and (given is not None or name == "fused"):
                raise RequestError(f"The request's {name} must be a raster source.")
        if (self.hyperspectral is None) != (self.multispectral is None):
            raise RequestError(
                "Only one of the two rasters that were fused was given.",
                "Give both the hyperspectral and the multispectral layer, or neither.",
            )
        if self.reference is None and self.hyperspectral is None:
            raise RequestError(
                "There is nothing to measure the fused layer against.",
                "Give a reference, or the hyperspectral and the multispectral layer, or all three.",
            )
        if self.reference is None and (self.error_map or self.angle_map):
            raise RequestError(
                "The maps of error and of angle need a reference, and none was given.",
                "Give a reference layer, or leave the maps out.",
            )
