"""Coarse images: the hyperspectral raster as the fine grid wants it, rows and columns parallel.

`DirectCoarse` hands out the file's own pixels, at most transposed and flipped. `WarpedCoarse`
resamples, where the file's grid is turned against the guide's or in another CRS. Both read any
window when it is asked for.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from .grid import Grid, Parallel, map_pixels
from .read import Raster

# Source pixels around a window that a cubic kernel may reach, before it is widened to go down.
_KERNEL = 3
# Source pixels by which a position may be off. GDAL's usual eighth can be a whole guide pixel.
_TOLERANCE = 1e-3
# A stand-in where neither file has a CRS: source and target are one plane, nothing is projected.
_PLANE = CRS.from_epsg(3857)


class DirectCoarse:
    """The file's own pixels, seen along the fine grid's axes; no value is changed."""

    resampled = False

    def __init__(self, raster: Raster, lie: Parallel) -> None:
        self._raster, self._lie = raster, lie
        self.rows, self.cols = lie.rows, lie.cols
        height, width = raster.grid.shape
        self.shape = (width, height) if lie.transpose else (height, width)

    def read(self, row0: int, row1: int, col0: int, col1: int) -> tuple[np.ndarray, np.ndarray]:
        """Values (B, n, m) float32 and validity (n, m) of a window inside `shape`."""
        height, width = self.shape
        if self._lie.flip_rows:
            row0, row1 = height - row1, height - row0
        if self._lie.flip_cols:
            col0, col1 = width - col1, width - col0
        if self._lie.transpose:
            row0, row1, col0, col1 = col0, col1, row0, row1
        values, valid = self._raster.read(Window(col0, row0, col1 - col0, row1 - row0))
        return self._turn(values), self._turn(valid)

    def _turn(self, image: np.ndarray) -> np.ndarray:
        if self._lie.transpose:
            image = image.swapaxes(-1, -2)
        if self._lie.flip_rows:
            image = image[..., ::-1, :]
        if self._lie.flip_cols:
            image = image[..., ::-1]
        return np.ascontiguousarray(image)


class WarpedCoarse:
    """The raster resampled to a coarse grid in the guide's CRS, a window at a time.

    Cubic, with the kernel widened where a target pixel is larger than a source pixel (so that it
    averages the area). Invalid samples lend nothing to their neighbours; validity is warped
    by itself, and a target pixel is valid where at least half of its ground is.
    """

    resampled = True

    def __init__(self, raster: Raster, source: Grid, grid: Grid) -> None:
        self._raster, self._source, self._grid = raster, source, grid
        if grid.crs is None or self._source.crs is None:
            crs = grid.crs or self._source.crs or _PLANE
            self._grid, self._source = replace(grid, crs=crs), replace(self._source, crs=crs)
        self.shape = grid.shape
        self._span = self._source_pixels_per_pixel()

    def read(self, row0: int, row1: int, col0: int, col1: int) -> tuple[np.ndarray, np.ndarray]:
        """Values (B, n, m) float32 and validity (n, m) of a window inside `shape`."""
        target = self._grid.cut(row0, col0, row1 - row0, col1 - col0)
        window = self._source_window(target)
        if window is None:
            empty = np.zeros(target.shape, dtype=bool)
            return np.zeros((self._raster.count, *target.shape), dtype=np.float32), empty
        pixels, valid = self._raster.read(window)
        pixels[:, ~valid] = np.nan
        lie = self._source.cut(int(window.row_off), int(window.col_off), *valid.shape)
        values = self._warp(pixels, lie, target, Resampling.cubic, np.nan)
        share = self._warp(valid[None].astype(np.float32), lie, target, Resampling.bilinear, None)
        seen = (share[0] >= 0.5) & np.isfinite(values).all(axis=0)
        values[:, ~seen] = 0.0
        return values, seen

    def _warp(
        self, pixels: np.ndarray, lie: Grid, target: Grid, how: Resampling, nodata: float | None
    ) -> np.ndarray:
        """Resample (bands, h, w) float32 to `target`, every position kept."""
        size = {"count": len(pixels), "height": lie.height, "width": lie.width, "dtype": "float32"}
        place = {"transform": lie.transform, "crs": lie.crs, "nodata": nodata}
        with rasterio.MemoryFile() as memory:
            with memory.open(driver="GTiff", interleave="band", **size, **place) as dataset:
                dataset.write(pixels)
            with memory.open() as dataset, self._warped(dataset, target, how) as warped:
                return warped.read()

    def _warped(self, dataset: DatasetReader, target: Grid, how: Resampling) -> WarpedVRT:
        return WarpedVRT(
            dataset,
            crs=target.crs,
            transform=target.transform,
            height=target.height,
            width=target.width,
            resampling=how,
            tolerance=_TOLERANCE,
            num_threads=os.cpu_count() or 1,
            # GDAL would judge the change of scale by the window's box, which a rotation swells.
            XSCALE=1 / self._span[0],
            YSCALE=1 / self._span[1],
        )

    def _source_window(self, target: Grid) -> Window | None:
        """The source pixels a target window draws on, or None where it lies outside."""
        points = map_pixels(target.outline(), target, self._source)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) == 0:
            return None
        height, width = self._source.shape
        reach = np.ceil(_KERNEL * self._span)
        col0, row0 = np.maximum(np.floor(points.min(axis=0) - reach), 0).astype(int)
        col1, row1 = np.minimum(np.ceil(points.max(axis=0) + reach), (width, height)).astype(int)
        return Window(col0, row0, col1 - col0, row1 - row0) if col1 > col0 and row1 > row0 else None

    def _source_pixels_per_pixel(self) -> np.ndarray:
        """How many source columns and rows one target pixel spans, at the middle: (2,), ≥ 1."""
        jacobian = jacobian_at(np.array(self.shape[::-1]) / 2, self._grid, self._source)
        return np.maximum(np.hypot(jacobian[:, 0], jacobian[:, 1]), 1.0)


def jacobian_at(point: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """d(target col, row) / d(source col, row) at a source point (col, row): (2, 2)."""
    steps = np.array([[-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
    left, right, up, down = map_pixels(point + steps, source, target)
    return np.stack([right - left, down - up], axis=1)


def coarse_grid(
    fine: Grid, ratios: tuple[float, float], start: tuple[int, int], shape: tuple[int, int]
) -> Grid:
    """A grid parallel to `fine`: pixels of `ratios` (rows, cols) fine ones, in phase with it.

    start: the first coarse row and column, counted from fine's corner; shape: (h, w).
    """
    down, across = ratios
    transform = fine.transform * Affine.scale(across, down) * Affine.translation(start[1], start[0])
    return Grid(fine.crs, transform, *shape)


def whole_where_near(ratio: float, tolerance: float = 0.02) -> float:
    """The nearest whole number, where a pixel of that size is as good: projections stretch."""
    near = round(ratio)
    return float(near) if near and math.isclose(ratio, near, rel_tol=tolerance) else ratio
