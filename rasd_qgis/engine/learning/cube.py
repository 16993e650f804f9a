"""Cubes: reference images as training reads them, by window, and kept in memory where they fit.

Training draws thousands of small windows at random. Files that are compressed, or one a band, would
be decoded over and over for that; so as many cubes as fit into a budget are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...contract.errors import InputError
from ...contract.request import RasterSource
from ..rasters.grid import Grid
from ..rasters.read import Raster
from ..rasters.spectral import SpectralInfo
from ..rasters.view import Image

# What all images that are kept may hold together.
KEPT_BYTES = 2 * 2**30

# Values (bands, n, m) float32 and validity (n, m) of rows [0, 1) and columns [2, 3) of a box.
Read = Callable[[int, int, int, int], Image]


@dataclass
class Cube:
    """A reference image. grid: where it lies; spectral: its bands; good: (B,) bool.

    size: of its files in bytes, by which a changed one is told.
    """

    name: str
    grid: Grid
    spectral: SpectralInfo
    good: np.ndarray
    read: Read
    size: int

    @property
    def count(self) -> int:
        """Number of bands."""
        return self.spectral.count


class Keeper:
    """Keeps images in memory as far as a budget lasts; others stay where they are."""

    def __init__(self, budget: int = KEPT_BYTES) -> None:
        self._left = budget

    def keep(self, read: Read, count: int, shape: tuple[int, int]) -> Read:
        """The same image, read whole at its first use where it fits."""
        needed = (4 * count + 1) * shape[0] * shape[1]
        if needed > self._left:
            return read
        self._left -= needed
        kept: list[Image] = []

        def window(row0: int, row1: int, col0: int, col1: int) -> Image:
            if not kept:
                kept.append(read(0, shape[0], 0, shape[1]))
            values, valid = kept[0]
            return values[:, row0:row1, col0:col1].copy(), valid[row0:row1, col0:col1].copy()

        return window


def of_raster(raster: Raster, keeper: Keeper, wavelengths: Sequence[float] | None = None) -> Cube:
    """The cube of an open raster; wavelengths (nm): where the file does not tell them."""

    def read(row0: int, row1: int, col0: int, col1: int) -> Image:
        return raster.read(Window(col0, row0, col1 - col0, row1 - row0))

    spectral = raster.spectral
    if wavelengths is not None and len(wavelengths) == raster.count:
        spectral = _known(wavelengths)
    kept = keeper.keep(read, raster.count, raster.grid.shape)
    size = _size([raster.source.path])
    return Cube(raster.name, raster.grid, spectral, raster.good, kept, size)


def of_array(name: str, values: np.ndarray, wavelengths: Sequence[float], size: int) -> Cube:
    """The cube of an array (bands, rows, columns)."""
    grid = Grid(None, rasterio.Affine.identity(), *values.shape[1:])

    def read(row0: int, row1: int, col0: int, col1: int) -> Image:
        cut = values[:, row0:row1, col0:col1].astype(np.float32)
        valid: np.ndarray = np.logical_and.reduce(np.isfinite(cut), axis=0)
        return np.where(valid, cut, np.float32(0)), valid

    return Cube(name, grid, _known(wavelengths), np.ones(len(values), bool), read, size)


def of_stack(
    name: str, paths: Sequence[Path], wavelengths: Sequence[float], keeper: Keeper
) -> Cube:
    """The cube of one image file a band, in order; of a file with several bands the first counts.

    All come in the range of 16 bits, whatever depth they are stored in.
    """
    shape = _first_band(paths[0]).shape
    grid = Grid(None, rasterio.Affine.identity(), *shape)

    def read(row0: int, row1: int, col0: int, col1: int) -> Image:
        values = np.empty((len(paths), row1 - row0, col1 - col0), np.float32)
        for plane, path in zip(values, paths):
            band = _first_band(path)
            if band.shape != shape:
                raise InputError(
                    f"{path.name} has {band.shape[1]} × {band.shape[0]} pixels, but the first band "
                    f"of {name} has {shape[1]} × {shape[0]}.",
                    "Take the scene from its publisher again.",
                )
            plane[:] = band[row0:row1, col0:col1]
        return values, np.ones(values.shape[1:], bool)

    kept = keeper.keep(read, len(paths), shape)
    return Cube(
        name,
        grid,
        _known(wavelengths),
        np.ones(len(paths), bool),
        kept,
        _size([str(path) for path in paths]),
    )


def open_source(path: str, name: str = "") -> Raster:
    """The raster at a path that GDAL opens."""
    return Raster(RasterSource(path, name=name))


def _first_band(path: Path) -> np.ndarray:
    try:
        with rasterio.open(path) as dataset:
            band = dataset.read(1)
    except RasterioError as error:
        raise InputError(
            f"The image {path.name} cannot be read ({str(error)[:150]}).",
            "Take the scene from its publisher again.",
        ) from error
    return band.astype(np.float32) * (257.0 if band.dtype == np.uint8 else 1.0)


def _known(wavelengths: Sequence[float]) -> SpectralInfo:
    names = tuple(f"{wave:g} nm" for wave in wavelengths)
    unknown = (None,) * len(names)
    return SpectralInfo(names, tuple(map(float, wavelengths)), unknown, (True,) * len(names))


def _size(paths: Sequence[str]) -> int:
    files = (Path(path) for path in paths)
    return sum(file.stat().st_size for file in files if file.is_file())
