"""Placed: a raster read by another grid's pixels, where the two stand on the same ones.

Rasters of one scene are often cut differently. Nothing is resampled: where the pixels of the two do
not coincide there is an error that says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from ...contract.errors import InputError
from .grid import Grid, Parallel, parallel, same_ground
from .read import Raster

# Pixels that far apart, as a share of one, count as the same.
SAME_PIXEL = 0.05


@dataclass(frozen=True)
class Placed:
    """start: (row, col) of the raster's pixel under the grid's first. bands: those that are read.

    Values are real ones: scale and offset are applied.
    """

    raster: Raster
    start: tuple[int, int]
    bands: np.ndarray

    def read(self, row0: int, row1: int, col0: int, col1: int) -> tuple[np.ndarray, np.ndarray]:
        """Values (bands, n, m) float32 and validity (n, m); beyond the raster 0 and invalid."""
        height, width = self.raster.grid.shape
        row, col = self.start
        top, bottom = max(row0 + row, 0), min(row1 + row, height)
        left, right = max(col0 + col, 0), min(col1 + col, width)
        values = np.zeros((len(self.bands), row1 - row0, col1 - col0), dtype=np.float32)
        valid = np.zeros(values.shape[1:], dtype=bool)
        if top < bottom and left < right:
            part = (
                slice(top - row - row0, bottom - row - row0),
                slice(left - col - col0, right - col - col0),
            )
            window = Window(left, top, right - left, bottom - top)
            inside, valid[part] = self.raster.read(window, self.bands.tolist())
            values[:, part[0], part[1]] = real(self.raster, inside, self.bands)
        return values, valid


def place(raster: Raster, grid: Grid, bands: np.ndarray, other: str) -> Placed:
    """The raster by the pixels of `grid`, those of the layer called `other`.

    InputError where its pixels are others, or none of them is on the grid.
    """
    lie = parallel(raster.grid, grid) if same_ground(raster.grid, grid) else None
    if lie is None or not _same_pixels(lie, raster.grid.shape):
        raise InputError(
            f"The pixels of {raster.name} are not those of {other}: their CRS, size or place "
            "differ.",
            "Warp one of the two to the grid of the other first (Raster → Projections → Warp), "
            "and mind that this changes its values.",
        )
    start = -round(lie.rows.offset), -round(lie.cols.offset)
    height, width = raster.grid.shape
    if not (-grid.height < start[0] < height and -grid.width < start[1] < width):
        raise InputError(
            f"The layers {raster.name} and {other} do not overlap.",
            "Choose layers of the same ground, and check the CRS of both.",
        )
    return Placed(raster, start, bands)


def real(raster: Raster, values: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Stored values (bands, h, w) as real ones: scaled, and the offset added."""
    scales = np.array(raster.encoding.scales, dtype=np.float32)[bands, None, None]
    offsets = np.array(raster.encoding.offsets, dtype=np.float32)[bands, None, None]
    return values if (scales == 1).all() and (offsets == 0).all() else values * scales + offsets


def _same_pixels(lie: Parallel, shape: tuple[int, int]) -> bool:
    if lie.transpose or lie.flip_rows or lie.flip_cols:
        return False
    return all(
        abs(axis.ratio - 1) * size < SAME_PIXEL
        and math.isclose(axis.offset, round(axis.offset), abs_tol=SAME_PIXEL)
        for axis, size in zip((lie.rows, lie.cols), shape)
    )
