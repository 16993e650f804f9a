"""Descriptions: what a raster is, in numbers that travel as JSON.

Nothing is judged here; the window that asked decides what of it is worth a word.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..contract.inspect_request import DescribeRequest
from .rasters.read import Raster
from .service.report import Reporter

# Tags that tell when a scene was taken, the surest first; a file's own date of writing is not one.
_DATE_TAGS = (
    "acquisitiondatetime",
    "acquisition_date",
    "acquisition time",
    "acquisition_time",
    "date_acquired",
    "sensing_time",
    "product_start_time",
    "start_time",
    "starttime",
    "datatake_1_datatake_sensing_start",
)
_DATE = re.compile(r"\b((?:19|20)\d\d)[-/.]?([01]\d)[-/.]?([0-3]\d)(?=\D|$)")
# A band that follows none of the next few on either side this closely holds noise, not ground.
LEAST_CORRELATION = 0.5
_NEIGHBOURS = 3
# Below this many bands neighbours may well see different things.
_NARROW_BANDS = 20
_LEAST_SAMPLES = 64


def describe(request: DescribeRequest, reporter: Reporter) -> dict[str, Any]:
    """The descriptions of the request's rasters under RASTERS; InputError for an unreadable one."""
    found = []
    for source in request.rasters:
        with Raster(source) as raster:
            found.append(describe_raster(raster))
    return {"RASTERS": found}


def describe_raster(raster: Raster) -> dict[str, Any]:
    """What an open raster is.

    bands, rows, columns, dtype, crs (a name, None where missing), pixel (width, height in units of
    the CRS); wavelengths and widths in nm (None where unknown), good, dead: a value a band; nodata:
    a number, None, or "nan", "inf" as words; date: YYYY-MM-DD or None. Of samples all over the
    raster: invalid and zero, shares of the pixels; low, middle, high: the 2nd, 50th and 98th
    percentile of the scaled values; noisy: 1-based bands.
    """
    spectral, grid = raster.spectral, raster.grid
    values, valid = raster.look()
    return {
        "name": raster.name,
        "bands": raster.count,
        "rows": grid.height,
        "columns": grid.width,
        "dtype": raster.dtype.name,
        "crs": grid.crs.to_string()[:80] if grid.crs else None,
        "pixel": list(grid.pixel_size),
        "wavelengths": list(spectral.wavelengths),
        "widths": list(spectral.fwhm),
        "good": list(spectral.good),
        "dead": [bool(dead) for dead in raster.dead],
        "nodata": _in_json(raster.encoding.nodata),
        "date": acquired(raster.tags()),
        "invalid": float(1.0 - valid.mean()),
        "zero": _zero_share(values[raster.good], valid),
        "noisy": _noisy(values[:, valid], raster.good),
        **_levels(values[:, valid], raster),
    }


def acquired(tags: dict[str, str]) -> str | None:
    """The day a scene was taken, YYYY-MM-DD, by tags whose names are in lower case."""
    for name in _DATE_TAGS:
        found = _DATE.search(tags.get(name, ""))
        if found and 1 <= int(found[2]) <= 12 and 1 <= int(found[3]) <= 31:
            return "-".join(found.groups())
    return None


def _in_json(nodata: float | None) -> float | str | None:
    """A nodata value as JSON can carry it: NaN and the infinities as words."""
    return nodata if nodata is None or np.isfinite(nodata) else str(nodata)


def _zero_share(values: np.ndarray, valid: np.ndarray) -> float:
    """Share of pixels that count as data though every band of them is 0."""
    return float(np.mean(valid & (values == 0).all(axis=0)))


def _levels(values: np.ndarray, raster: Raster) -> dict[str, float | None]:
    """The spread of the scaled values of good bands; None where no pixel is valid."""
    if values.shape[1] == 0:
        return dict.fromkeys(("low", "middle", "high"))
    scales = np.array(raster.encoding.scales)[raster.good, None]
    offsets = np.array(raster.encoding.offsets)[raster.good, None]
    some = values[raster.good][:, :: max(1, values.shape[1] // 20_000)]
    shares = np.percentile(some * scales + offsets, (2, 50, 98))
    return dict(zip(("low", "middle", "high"), map(float, shares)))


def _noisy(values: np.ndarray, good: np.ndarray) -> list[int]:
    """Good bands (1-based) that are constant, or that follow none of their neighbours."""
    bands = np.flatnonzero(good)
    if values.shape[1] < _LEAST_SAMPLES or len(bands) < _NARROW_BANDS:
        return []
    some = values[bands][:, :: max(1, values.shape[1] // 20_000)].astype(np.float64)
    some -= some.mean(axis=1, keepdims=True)
    spread = np.sqrt((some**2).sum(axis=1))
    flat = spread == 0
    some /= np.where(flat, 1.0, spread)[:, None]
    best = np.full(len(bands), -1.0)
    for step in range(1, _NEIGHBOURS + 1):
        alike = (some[step:] * some[:-step]).sum(axis=1)
        best[step:] = np.maximum(best[step:], alike)
        best[:-step] = np.maximum(best[:-step], alike)
    return [int(band) + 1 for band in bands[flat | (best < LEAST_CORRELATION)]]
