"""Requests that look and write nothing: what rasters are, and whether a pair is fit to be fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from . import checks
from .errors import RequestError
from .source import RasterSource


@dataclass(frozen=True)
class DescribeRequest:
    """Tell what the bands of each raster see, and when it was taken.

    rasters: one or more; the result describes them in their order.
    """

    task: ClassVar[str] = "describe"
    sources: ClassVar[tuple[str, ...]] = ()
    source_lists: ClassVar[tuple[str, ...]] = ("rasters",)
    outputs: ClassVar[tuple[str, ...]] = ()

    rasters: tuple[RasterSource, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rasters", _sources(self.rasters))


@dataclass(frozen=True)
class InspectRequest:
    """Measure a pair before it is fused: overlap, ratio, values, bad bands, nodata, shift.

    extent: (xmin, ymin, xmax, ymax) in the multispectral layer's CRS; None takes all.
    psf_sigma: of the hyperspectral sensor in coarse pixels; None takes the usual.
    """

    task: ClassVar[str] = "inspect"
    sources: ClassVar[tuple[str, ...]] = ("hyperspectral", "multispectral")
    outputs: ClassVar[tuple[str, ...]] = ()

    hyperspectral: RasterSource
    multispectral: RasterSource
    extent: tuple[float, float, float, float] | None = None
    psf_sigma: float | None = None

    def __post_init__(self) -> None:
        _sources((self.hyperspectral, self.multispectral))
        object.__setattr__(self, "extent", checks.extent(self.extent))
        if self.psf_sigma is not None:
            checks.number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, 10.0)


def _sources(value: Any) -> tuple[RasterSource, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise RequestError(
            f"Rasters to look at must be a list of sources, not {checks.shown(value)}."
        )
    for one in value:
        if not isinstance(one, RasterSource):
            raise RequestError(
                f"A raster to look at must be a raster source, not {checks.shown(one)}."
            )
    return tuple(value)
