"""Pairs: whether two rasters can be fused at all, and what is assumed where a file is silent.

Each refusal has its own sentence; each assumption is told to the analyst.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np
from affine import Affine

from ...contract.errors import InputError
from .grid import ROUNDING, Grid, clip_polygon, map_pixels
from .read import Raster, same_file

# Below this ratio there is nothing to gain from the guide.
LEAST_RATIO = 1.2
# Rasters without a CRS are taken for the other's if they share this much of the smaller one.
_AGREEING_SHARE = 0.5


class Warner(Protocol):
    """What alignment needs of a reporter."""

    def log(self, text: str) -> None:
        """Say something for the record."""

    def warn(self, text: str) -> None:
        """Say something that the analyst should know."""


def refuse_bands(hs: Raster, ms: Raster) -> None:
    """Raise InputError where the two are one raster, or were chosen the wrong way round."""
    if same_file(hs.source.path, ms.source.path):
        raise InputError(
            f"{hs.name} was chosen as both the hyperspectral and the multispectral layer.",
            "Choose two different layers of the same ground.",
        )
    if hs.count == 1:
        raise InputError(
            f"The hyperspectral layer {hs.name} has a single band.",
            "Choose the layer with the many narrow bands, stacked in one raster.",
        )
    if hs.count <= ms.count:
        raise InputError(
            f"The hyperspectral layer {hs.name} has {hs.count} bands, no more than the "
            f"multispectral layer {ms.name} with {ms.count}.",
            "Check that the two layers are not swapped.",
        )


def refuse_ratio(down: float, across: float, hs: Raster, ms: Raster) -> None:
    """Raise InputError where the hyperspectral pixels are not clearly the larger ones."""
    if min(down, across) >= LEAST_RATIO:
        return
    relation = "finer than" if min(down, across) < 1 - ROUNDING else "hardly coarser than"
    raise InputError(
        f"The hyperspectral layer {hs.name} is {relation} the multispectral layer {ms.name}: one "
        f"of its pixels is {across:.3g} × {down:.3g} guide pixels.",
        "Check that the two layers are not swapped; there is nothing to sharpen here.",
    )


def agree_on_crs(hs: Raster, ms: Raster, reporter: Warner) -> tuple[Grid, Grid]:
    """Both grids, a missing CRS supplied by the other's where the bounds bear that out."""
    if not hs.georeferenced and not ms.georeferenced and not (hs.grid.crs or ms.grid.crs):
        return _stretch(hs, ms, reporter), ms.grid
    if hs.grid.crs and ms.grid.crs:
        return hs.grid, ms.grid
    bare, other = (ms, hs) if hs.grid.crs else (hs, ms)
    if _shared_share(hs.grid, ms.grid) < _AGREEING_SHARE:
        raise InputError(
            f"The layer {bare.name} has no CRS, and its bounds disagree with those of "
            f"{other.name}.",
            f"Set the CRS of {bare.name} in the layer's properties.",
        )
    crs = other.grid.crs
    reporter.warn(
        f"{bare.name} has no CRS; as its bounds agree with those of {other.name}, "
        + (f"that layer's ({crs.to_string()[:40]}) is assumed." if crs else "one plane is assumed.")
    )
    return replace(hs.grid, crs=hs.grid.crs or crs), replace(ms.grid, crs=ms.grid.crs or crs)


def _stretch(hs: Raster, ms: Raster, reporter: Warner) -> Grid:
    """Two plain images without any georeference: taken to show exactly the same ground."""
    down, across = ms.grid.height / hs.grid.height, ms.grid.width / hs.grid.width
    if not math.isclose(down, across, rel_tol=0.05):
        raise InputError(
            f"Neither {hs.name} nor {ms.name} is georeferenced, and their shapes differ "
            f"({hs.grid.width} × {hs.grid.height} and {ms.grid.width} × {ms.grid.height} pixels).",
            "Georeference both, or cut them to exactly the same ground.",
        )
    reporter.warn(
        f"Neither {hs.name} nor {ms.name} is georeferenced; both are taken to show exactly the "
        "same ground."
    )
    return replace(hs.grid, transform=ms.grid.transform * Affine.scale(across, down))


def _shared_share(first: Grid, second: Grid) -> float:
    """The shared area over the smaller raster's, by coordinates as they stand."""
    plain = map_pixels(first.outline(1), replace(first, crs=None), second)
    shared = _area(clip_polygon(plain, second.height, second.width))
    return shared / min(_area(plain), float(second.height * second.width))


def _area(points: np.ndarray) -> float:
    """The area of a polygon (n, 2), by the shoelace formula."""
    if len(points) < 3:
        return 0.0
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
