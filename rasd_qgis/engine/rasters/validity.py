"""Validity: which samples of a raster are measurements, and which bands are no bands at all.

A sample is invalid where it is the file's nodata, lies in a range the analyst declared nodata, or
is no finite number. A band is dead when it is invalid over most of the ground that the other bands
see, as the water-vapour bands of a spectrometer are: it must not take those pixels with it.
"""

from __future__ import annotations

import numpy as np

from ...contract.request import RasterSource

# The share of the seen ground over which a band has to be missing before it counts as dead.
DEAD_SHARE = 0.5
# The share of samples an alpha band must have at either end of its range to be taken for a mask.
_MASK_SHARE = 0.9


class SampleRules:
    """Which values of which band are no measurements.

    nodata: the file's nodata value a band (None for none); bands: 1-based numbers in the file of
    the bands that are read, in order; the source's overrides are by the file's band numbers.
    """

    def __init__(
        self, nodata: tuple[float | None, ...], bands: tuple[int, ...], source: RasterSource
    ) -> None:
        ignored, ranges = source.ignore_source_nodata, source.nodata_ranges
        self.nodata = tuple(
            None if b <= len(ignored) and ignored[b - 1] else nodata[b - 1] for b in bands
        )
        self.ranges = tuple(ranges[b - 1] if b <= len(ranges) else () for b in bands)

    def common(self) -> float | None:
        """The nodata value to store results with: the file's, else a single one declared."""
        declared = (low for band in self.ranges for low, high in band if low == high)
        return next((value for value in (*self.nodata, *declared) if value is not None), None)

    def invalid(self, values: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Samples that are none: bool like values, (bands, …) in the stored dtype.

        which: the index among this raster's bands of each of them, (bands,) int.
        """
        bad = np.zeros(values.shape, dtype=bool)
        if values.dtype.kind == "f":
            np.logical_not(np.isfinite(values), out=bad)
        for plane, wrong, band in zip(values, bad, which):
            nodata = storable(self.nodata[band], values.dtype)
            if nodata is not None:
                wrong |= plane == nodata
            for low, high in self.ranges[band]:
                wrong |= (plane >= low) & (plane <= high)
        return bad


def storable(value: float | None, dtype: np.dtype) -> np.generic | None:
    """A nodata value as this dtype holds it; None where it cannot, so no sample equals it."""
    if value is None or np.isnan(value):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            stored = dtype.type(value)
        return stored if np.isfinite(stored) else None
    limits = np.iinfo(dtype)
    whole = float(value).is_integer() and limits.min <= int(value) <= limits.max
    return dtype.type(int(value)) if whole else None


def dead_bands(bad: np.ndarray) -> np.ndarray | None:
    """Bands that are missing where the others are not: (bands, samples) bool to (bands,) bool.

    None where no sample is seen by at least half of the bands, so nothing can be told.
    """
    seen = bad.mean(axis=0) <= 0.5
    return bad[:, seen].mean(axis=1) > DEAD_SHARE if seen.any() else None


def is_mask(alpha: np.ndarray) -> bool:
    """Whether an alpha band's values are a mask's: nearly all at one end or the other.

    GDAL and other writers flag the fourth band of any image as alpha, a near-infrared one too.
    """
    if alpha.size == 0:
        return True
    top = alpha.max()
    return bool(np.mean((alpha == 0) | (alpha == top)) >= _MASK_SHARE)
