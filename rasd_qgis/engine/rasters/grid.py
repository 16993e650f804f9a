"""Grids: where the pixels of a raster lie, and how two grids lie to each other.

A `Grid` is a raster's CRS, geotransform and size. An `Axis` places a coarse grid on a fine one
along one direction; it is all that the numerics know of geography. Everything here is in *edge
coordinates*: pixel j spans [j, j + 1], its centre is j + 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as transform_points

# How far, in fine pixels over the whole image, rows and columns may drift from the guide's before
# the two grids no longer count as parallel: half of what a fused pixel may be displaced by.
PARALLEL_TOLERANCE = 0.05
# Below this many fine pixels a difference is rounding in a file's geotransform, not geometry.
ROUNDING = 0.01
# Beyond this a coordinate is as good as infinite, which cannot be rounded to a pixel.
_FAR = 2.0**52


@dataclass(frozen=True)
class Axis:
    """One direction of a coarse grid, in fine pixels.

    Coarse pixel i spans the fine edge coordinates [offset + ratio·i, offset + ratio·(i + 1)].
    """

    ratio: float
    offset: float

    def to_fine(self, coarse: float) -> float:
        """The fine edge coordinate of a coarse one."""
        return self.offset + self.ratio * coarse

    def to_coarse(self, fine: float) -> float:
        """The coarse edge coordinate of a fine one."""
        return (fine - self.offset) / self.ratio

    def local(self, fine_start: int, coarse_start: int) -> Axis:
        """The same axis between a fine and a coarse window that start at these pixels."""
        return Axis(self.ratio, self.to_fine(coarse_start) - fine_start)

    def cover(self, start: float, stop: float, size: int, margin: int = 0) -> tuple[int, int]:
        """Coarse pixels (start, stop) that touch fine [start, stop], a margin on, within size."""
        first = math.floor(self.to_coarse(start) + ROUNDING / self.ratio) - margin
        last = math.ceil(self.to_coarse(stop) - ROUNDING / self.ratio) + margin
        return max(first, 0), min(last, size)


@dataclass(frozen=True)
class Grid:
    """A raster's CRS (None where unknown), geotransform, and size in pixels."""

    crs: CRS | None
    transform: Affine
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Lengths of a pixel's sides, along columns and along rows, in units of the CRS."""
        t = self.transform
        return math.hypot(t.a, t.d), math.hypot(t.b, t.e)

    def cut(self, row: int, col: int, height: int, width: int) -> Grid:
        """The grid of a window whose first pixel is (row, col); it may reach outside."""
        moved = self.transform * Affine.translation(col, row)
        return replace(self, transform=moved, height=height, width=width)

    def touched(self, extent: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """Pixels (row0, row1, col0, col1) that (xmin, ymin, xmax, ymax) touches, in or outside.

        On a turned grid, those that its bounding box in pixels touches.
        """
        xmin, ymin, xmax, ymax = np.clip(extent, -_FAR, _FAR)
        corners = ((xmin, ymin), (xmin, ymax), (xmax, ymin), (xmax, ymax))
        cols, rows = zip(*(~self.transform * corner for corner in corners))
        ends = np.clip([min(rows), max(rows), min(cols), max(cols)], -_FAR, _FAR)
        row0, row1 = math.floor(ends[0] + ROUNDING), math.ceil(ends[1] - ROUNDING)
        col0, col1 = math.floor(ends[2] + ROUNDING), math.ceil(ends[3] - ROUNDING)
        return row0, row1, col0, col1

    def outline(self, steps: int = 32) -> np.ndarray:
        """Points (col, row) along the border, closed, `steps` a side: (4·steps + 1, 2) float64."""
        side = np.arange(steps) / steps
        zero, one = np.zeros(steps), np.ones(steps)
        cols = np.concatenate([side, one, 1 - side, zero, [0.0]]) * self.width
        rows = np.concatenate([zero, side, one, 1 - side, [0.0]]) * self.height
        return np.stack([cols, rows], axis=1)


def boxes(shape: tuple[int, int], side: int) -> Iterator[tuple[int, int, int, int]]:
    """Windows (row0, row1, col0, col1), smaller at the ends, that together are an image."""
    for row in range(0, shape[0], side):
        for col in range(0, shape[1], side):
            yield row, min(row + side, shape[0]), col, min(col + side, shape[1])


def map_pixels(points: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """Carry (col, row) edge coordinates (n, 2) from one grid to another through their CRSs.

    Points that the projection cannot carry come back as infinity. A missing CRS is taken for the
    other's. CRSError where nothing leads from one CRS to the other.
    """
    points = np.asarray(points, dtype=np.float64)
    xs, ys = source.transform * (points[:, 0], points[:, 1])
    if source.crs and target.crs and source.crs != target.crs:
        try:
            xs, ys = (np.array(v) for v in transform_points(source.crs, target.crs, xs, ys))
        except CPLE_BaseError as error:
            raise CRSError(str(error)) from error
    return np.stack(~target.transform * (xs, ys), axis=1)


def same_ground(source: Grid, target: Grid) -> bool:
    """Whether both CRSs put the source's outline on the same ground, to a hundredth of a pixel.

    It asks what the CRSs do, not how they are spelled: ENVI's WKT and an EPSG code may agree.
    """
    if not source.crs or not target.crs or source.crs == target.crs:
        return True
    points = source.outline(8)
    try:
        moved = map_pixels(points, source, target)
    except CRSError:
        return False
    plain = map_pixels(points, replace(source, crs=target.crs), target)
    return bool(np.all(np.isfinite(moved)) and np.abs(moved - plain).max() < ROUNDING)


@dataclass(frozen=True)
class Parallel:
    """How a coarse image lies on a fine grid whose rows and columns are parallel to its own.

    To make both axes run along the fine grid's, the image is transposed first, then flipped.
    """

    rows: Axis
    cols: Axis
    transpose: bool
    flip_rows: bool
    flip_cols: bool


def parallel(coarse: Grid, fine: Grid) -> Parallel | None:
    """The axes of `coarse` on `fine`, or None where one is turned or sheared against the other.

    Both are taken to be in one CRS. Ratios and offsets are real numbers: any ratio, any phase.
    """
    to_fine = ~fine.transform * coarse.transform
    height, width = coarse.shape
    if abs(to_fine.b) * height < PARALLEL_TOLERANCE and abs(to_fine.d) * width < PARALLEL_TOLERANCE:
        cols, flip_cols = _axis(to_fine.a, to_fine.c + to_fine.b * height / 2, width)
        rows, flip_rows = _axis(to_fine.e, to_fine.f + to_fine.d * width / 2, height)
        return Parallel(rows, cols, False, flip_rows, flip_cols)
    if abs(to_fine.a) * width < PARALLEL_TOLERANCE and abs(to_fine.e) * height < PARALLEL_TOLERANCE:
        cols, flip_cols = _axis(to_fine.b, to_fine.c + to_fine.a * width / 2, height)
        rows, flip_rows = _axis(to_fine.d, to_fine.f + to_fine.e * height / 2, width)
        return Parallel(rows, cols, True, flip_rows, flip_cols)
    return None


def _axis(ratio: float, offset: float, size: int) -> tuple[Axis, bool]:
    """An axis with a positive ratio and rounding taken off, and whether it had to be flipped."""
    flip = ratio < 0
    if flip:
        ratio, offset = -ratio, offset + ratio * size
    if abs(ratio - round(ratio)) * size < ROUNDING:
        ratio = float(round(ratio))
    if abs(offset - round(offset)) < ROUNDING:
        offset = float(round(offset))
    return Axis(ratio, offset), flip


def clip_polygon(points: np.ndarray, height: float, width: float) -> np.ndarray:
    """The part of a polygon (n, 2) of (col, row) inside [0, width] × [0, height].

    Sutherland and Hodgman's algorithm, a side at a time; (0, 2) where nothing is inside.
    """
    for axis, bound, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        if len(points) == 0:
            break
        depth = sign * (points[:, axis] - bound)
        kept: list[np.ndarray] = []
        for i in range(len(points)):
            before, here = depth[i - 1], depth[i]
            if (before >= 0) != (here >= 0):
                share = before / (before - here)
                kept.append(points[i - 1] + share * (points[i] - points[i - 1]))
            if here >= 0:
                kept.append(points[i])
        points = np.array(kept).reshape(-1, 2)
    return points
