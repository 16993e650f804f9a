"""Deriving: principal components and a normalised difference from a hyperspectral raster.

By window, in two passes: the first sums what mean and covariance are made of.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import numpy as np
from rasterio.windows import Window

from ..contract.derive_request import DeriveRequest
from ..contract.errors import InputError
from .rasters.encode import Encoding
from .rasters.formats import check_writable
from .rasters.grid import boxes
from .rasters.placed import real
from .rasters.read import Raster
from .rasters.spectral import SpectralInfo
from .rasters.write import BLOCK, OutputRaster
from .service.report import Phase, Reporter

# A band further than this from the wavelength asked for, in nm, does not show it.
FURTHEST_NM = 50.0


def derive(request: DeriveRequest, reporter: Reporter) -> dict[str, Any]:
    """Write what is asked for. EXPLAINED: the share of the variance of each component, in order;
    BANDS: the numbers of the bands that the index was made of, None without one.

    InputError where the raster has no valid pixel, or no bands near the index's wavelengths.
    """
    with Raster(request.raster) as raster, ExitStack() as stack:
        bands = _index_bands(raster, request) if request.index else None
        outputs = [path for path in (request.components, request.index) if path]
        for number, path in enumerate(outputs):
            taken = [request.raster.path, *outputs[:number]]
            check_writable(path, taken, 1, "float32", run_id=request.run_id)
        basis = _Basis.of(raster, request.count, reporter.phase("surveying", 0.0, 0.5))
        writers = []
        if request.components:
            names = [f"component {i + 1}" for i in range(len(basis.vectors))]
            writers.append((_writer(request, request.components, raster, names, stack), basis.at))
        if bands:
            first, second = bands
            name = f"normalised difference of bands {first + 1} and {second + 1}"
            difference = _Difference(first, second)
            writers.append((_writer(request, request.index, raster, [name], stack), difference.at))
        _write(raster, writers, reporter.phase("deriving", 0.5, 1.0))
    return {
        "EXPLAINED": [round(float(share), 6) for share in basis.explained],
        "BANDS": [band + 1 for band in bands] if bands else None,
    }


class _Basis:
    """The principal axes of the good bands: vectors (K, B), zero for bands set aside."""

    def __init__(self, mean: np.ndarray, vectors: np.ndarray, explained: np.ndarray) -> None:
        self.mean, self.vectors, self.explained = mean, vectors, explained

    @classmethod
    def of(cls, raster: Raster, count: int, phase: Phase) -> _Basis:
        """The first `count` axes, fewer where there are fewer good bands."""
        good = raster.good
        number, total = 0, np.zeros(good.sum())
        products = np.zeros((len(total), len(total)))
        windows = list(boxes(raster.grid.shape, BLOCK))
        for done, box in enumerate(windows, start=1):
            values, valid = _read(raster, box)
            seen = values[good][:, valid].astype(np.float64)
            number += seen.shape[1]
            total += seen.sum(1)
            products += seen @ seen.T
            phase.progress(done / len(windows))
        if number < 2:
            raise InputError(
                f"All pixels of {raster.name} are nodata.", "Check the layer's nodata settings."
            )
        mean = total / number
        strengths, axes = np.linalg.eigh(products / number - np.outer(mean, mean))
        strengths = np.maximum(strengths[::-1], 0.0)
        kept = axes[:, ::-1][:, :count].T
        kept *= np.where(kept.sum(1) < 0, -1.0, 1.0)[:, None]  # brighter ground is greater
        vectors, centre = np.zeros((len(kept), raster.count)), np.zeros(raster.count)
        vectors[:, good], centre[good] = kept, mean
        return cls(centre, vectors, strengths[: len(kept)] / (strengths.sum() or 1.0))

    def at(self, values: np.ndarray) -> np.ndarray:
        """(B, h, w) → (K, h, w)."""
        return np.tensordot(self.vectors, values - self.mean[:, None, None], 1)


class _Difference:
    """(a - b) / (a + b) of two bands; NaN where both are 0."""

    def __init__(self, first: int, second: int) -> None:
        self._first, self._second = first, second

    def at(self, values: np.ndarray) -> np.ndarray:
        """(B, h, w) → (1, h, w)."""
        first, second = values[self._first], values[self._second]
        total = first + second
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total == 0, np.nan, (first - second) / total)[None]


def _index_bands(raster: Raster, request: DeriveRequest) -> tuple[int, int]:
    """The bands, from 0, nearest to the index's wavelengths."""
    found = []
    for wanted in (request.first, request.second):
        near = [
            (abs(wave - wanted), band)
            for band, wave in enumerate(raster.spectral.wavelengths)
            if wave is not None and raster.good[band]
        ]
        if not near or min(near)[0] > FURTHEST_NM:
            raise InputError(
                f"{raster.name} has no good band within {FURTHEST_NM:g} nm of {wanted:g} nm.",
                "Choose other wavelengths, or a layer whose wavelengths are known.",
            )
        found.append(min(near)[1])
    return found[0], found[1]


def _writer(
    request: DeriveRequest, path: str | None, raster: Raster, names: list[str], stack: ExitStack
) -> OutputRaster:
    facts = {**request.provenance, "raster": request.raster.name or request.raster.path}
    tags = {"TIFFTAG_SOFTWARE": "RASD Fusion", "provenance": json.dumps(facts)}
    encoding = Encoding("float32", float("nan"))
    spectral = SpectralInfo.of_names(names)
    return stack.enter_context(
        OutputRaster(path or "", request.run_id, raster.grid, spectral, encoding, tags)
    )


def _write(raster: Raster, writers: list[tuple[OutputRaster, Any]], phase: Phase) -> None:
    windows = list(boxes(raster.grid.shape, BLOCK))
    for done, box in enumerate(windows, start=1):
        values, valid = _read(raster, box)
        for writer, make in writers:
            writer.write(_window(box), make(values).astype(np.float32), valid)
        phase.progress(done / len(windows))


def _read(raster: Raster, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    values, valid = raster.read(_window(box))
    return real(raster, values, np.arange(raster.count)), valid


def _window(box: tuple[int, int, int, int]) -> Window:
    row0, row1, col0, col1 = box
    return Window(col0, row0, col1 - col0, row1 - row0)
