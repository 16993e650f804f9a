"""Encoding: how values are stored, and how results are brought to it.

The fused raster is stored as the hyperspectral input was: dtype, nodata, scale and offset. A valid
value is rounded and clipped to the dtype, and stepped off the nodata value where it lands on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .validity import storable

# Readers take floats within a few ulp of nodata for nodata; this is clear of that.
_FLOAT_STEP = 2e-6
_TINY = 1e-30


@dataclass(frozen=True)
class Encoding:
    """How a raster stores its values: real value = stored · scale + offset, a band each.

    nodata: None lets one be chosen, should it be needed. scales, offsets: () for none.
    """

    dtype: str
    nodata: float | None = None
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()

    @property
    def fill(self) -> np.generic:
        """What invalid pixels hold: `nodata` where the dtype can hold it, else the usual value.

        Usual are NaN for floats, the least value of signed, the greatest of unsigned integers.
        """
        dtype = np.dtype(self.dtype)
        stored = storable(self.nodata, dtype)
        if stored is not None:
            return stored
        if dtype.kind == "f":
            return dtype.type(np.nan)
        limits = np.iinfo(dtype)
        return dtype.type(limits.min if dtype.kind == "i" else limits.max)

    @property
    def fill_is_given(self) -> bool:
        """Whether `fill` is the nodata asked for, not one that was chosen in its place."""
        if self.nodata is None:
            return False
        dtype = np.dtype(self.dtype)
        if np.isnan(self.nodata):
            return dtype.kind == "f"
        return storable(self.nodata, dtype) is not None

    def store(self, values: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Float values as the file holds them, same shape; `fill` where `missing` (bool)."""
        dtype, fill = np.dtype(self.dtype), self.fill
        if dtype.kind == "f":
            stored = np.clip(values.astype(dtype), np.finfo(dtype).min, np.finfo(dtype).max)
            on_fill = np.abs(stored - fill) <= _FLOAT_STEP / 2 * np.abs(fill)
        else:
            low, high = _limits(dtype)
            # float32 has no digits left for the ends of a 32-bit range.
            exact = values if dtype.itemsize < 4 else values.astype(np.float64)
            stored = np.clip(np.rint(np.where(missing, low, exact)), low, high).astype(dtype)
            on_fill = stored == fill
        stored[on_fill] = _beside(fill)
        stored[missing] = fill
        return stored


def stored(encoding: Encoding, values: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, bool]:
    """Values (bands, h, w) as a file holds them, and whether any is nodata.

    Nodata is where `valid` (h, w) is False, and in its band alone where a value is NaN. A band at a
    time, to need little memory.
    """
    array, some = np.empty(values.shape, encoding.dtype), False
    for into, band in zip(array, values):
        missing = ~valid | np.isnan(band)
        some |= bool(missing.any())
        into[:] = encoding.store(band, missing)
    return array, some


def _beside(fill: np.generic) -> np.generic:
    """The value nearest to nodata that no reader takes for it."""
    dtype = fill.dtype
    if dtype.kind == "f":
        return dtype.type(float(fill) * (1 - _FLOAT_STEP) if fill != 0 else _TINY)
    greatest = _limits(dtype)[1]
    return dtype.type(int(fill) - 1 if int(fill) >= greatest else int(fill) + 1)


def _limits(dtype: np.dtype) -> tuple[float, float]:
    """The least and greatest float64 that an integer dtype holds."""
    limits = np.iinfo(dtype)
    high = float(limits.max)
    return float(limits.min), high if int(high) <= limits.max else math.nextafter(high, 0.0)
