"""Inspection: a pair measured before it is fused, so that trouble is told before the long run.

It reads a window in the middle of the shared ground at most, and writes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract.errors import InputError
from ..contract.inspect_request import InspectRequest
from .describe import describe_raster
from .rasters.align import Alignment, align
from .rasters.grid import Axis
from .rasters.read import Raster
from .sensors.observe import DEFAULT_SIGMA, point_spread, seen
from .service.report import Reporter
from .shift import Shift, find_rough_shift, find_shift

# Sides of the window looked at; the fine one holds 64 MB a guide band at most, read by strips.
_COARSE_SIDE, _FINE_SIDE = 160, 2048
_STRIP_ROWS = 256
_COMPONENTS, _ROUGH_COMPONENTS = 6, 3
# Share of a component's own strength below which it is noise to the regression.
_RIDGE = 1e-4
_ROUNDS = 3
# Height of the correlation's peak, and share explained, below which nothing is said of a shift, and
# the guide pixels of it that do no harm.
LEAST_PEAK, LEAST_EXPLAINED, MOST_SHIFT = 0.4, 0.25, 1.0
# Coarse pixels; a step below it changes no decision.
_SETTLED = 0.02


class _Notes:
    """Keeps what alignment has to say, for the window that asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def log(self, text: str) -> None:
        """Keep it too: a resampled pair is worth knowing before the run."""
        self.texts.append(text)

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self.texts.append(text)


def inspect(request: InspectRequest, reporter: Reporter) -> dict[str, Any]:
    """Measure a pair: HYPERSPECTRAL and MULTISPECTRAL as `describe_raster`, then PAIR or REFUSAL.

    REFUSAL: the sentence (message, advice) that fusing would end with, else None. PAIR, else None:
    see `measure`. NOTES: what alignment assumes. InputError where a raster cannot be read at all.
    """
    notes = _Notes()
    with Raster(request.hyperspectral) as hs, Raster(request.multispectral) as ms:
        values: dict[str, Any] = {
            "HYPERSPECTRAL": describe_raster(hs),
            "MULTISPECTRAL": describe_raster(ms),
            "PAIR": None,
            "REFUSAL": None,
            "NOTES": notes.texts,
        }
        try:
            pair = align(hs, ms, request.extent, notes)
            told = request.psf_sigma
            values["PAIR"] = measure(pair, DEFAULT_SIGMA if told is None else told)
        except InputError as error:
            values["REFUSAL"] = {"message": error.message, "advice": error.advice}
    return values


def measure(pair: Alignment, sigma: float) -> dict[str, Any]:
    """What the two rasters are to each other; sigma: of the PSF in coarse pixels.

    ratio: guide pixels a hyperspectral pixel, down and across. resampled. fine: rows and columns of
    the shared ground. shared: its share of each raster. valid: share of the looked-at coarse pixels
    where both have data. shift: how far the hyperspectral image lies down and right of the guide,
    in guide pixels, with its peak; None where it cannot be told. explained: share of the guide's
    variance that the hyperspectral bands predict at the coarse scale, None likewise.
    """
    rows, cols = pair.rows, pair.cols
    middle = _middle(pair)
    coarse, coarse_valid = pair.read_coarse(*middle)
    finding = _Finding(pair, middle, sigma)
    shift, explained, valid = finding.run(coarse[pair.hs.good], coarse_valid)
    found = None
    if shift is not None:
        found = [rows.ratio * shift.down, cols.ratio * shift.right, shift.peak]
    return {
        "ratio": [rows.ratio, cols.ratio],
        "resampled": pair.resampled,
        "fine": list(pair.fine.shape),
        "shared": _shared(pair),
        "valid": float(valid.mean()),
        "shift": found,
        "explained": explained,
    }


def displacement(pair: Alignment, sigma: float) -> str:
    """That the two lie more than a guide pixel apart, in the analyst's words; "" where they do not,
    or where it cannot be told. sigma: of the PSF in coarse pixels.
    """
    found = measure(pair, sigma)
    shift, explained = found["shift"], found["explained"]
    if shift is None or explained is None:
        return ""
    down, right, peak = shift
    if peak < LEAST_PEAK or explained < LEAST_EXPLAINED or max(abs(down), abs(right)) <= MOST_SHIFT:
        return ""
    return (
        f"The hyperspectral image lies about {abs(right):.1f} guide pixels "
        f"{'right' if right > 0 else 'left'} and {abs(down):.1f} "
        f"{'below' if down > 0 else 'above'} of the guide, so details land beside their ground. "
        "Align the two first; the dialog of rasd:fuse offers a copy moved back."
    )


def _shared(pair: Alignment) -> list[float]:
    """The shared ground over the hyperspectral raster's and over the guide's."""
    area = pair.fine.height * pair.fine.width
    of_ms = area / (pair.ms.grid.height * pair.ms.grid.width)
    of_hs = area / pair.rows.ratio / pair.cols.ratio / (pair.hs.grid.height * pair.hs.grid.width)
    return [min(of_hs, 1.0), min(of_ms, 1.0)]


def _middle(pair: Alignment) -> tuple[int, int, int, int]:
    """Coarse pixels (row0, row1, col0, col1) in the middle of the shared ground."""
    spans = []
    for axis, fine, coarse in (
        (pair.rows, pair.fine.height, pair.coarse_shape[0]),
        (pair.cols, pair.fine.width, pair.coarse_shape[1]),
    ):
        first, last = axis.cover(0, fine, coarse)
        side = min(last - first, _COARSE_SIDE, max(int(_FINE_SIDE / axis.ratio), 8))
        start = first + (last - first - side) // 2
        spans += [start, start + side]
    return spans[0], spans[1], spans[2], spans[3]


class _Finding:
    """The guide at the coarse scale, seen with a trial shift, and what that says of the pair."""

    def __init__(self, pair: Alignment, middle: tuple[int, int, int, int], sigma: float) -> None:
        row0, row1, col0, col1 = middle
        self._shape = row1 - row0, col1 - col0
        self._sigma = sigma
        top, bottom = seen(pair.rows, (row0 - 2, row1 + 2), pair.fine.height, sigma)
        left, right = seen(pair.cols, (col0 - 2, col1 + 2), pair.fine.width, sigma)
        self._rows, self._cols = pair.rows.local(top, row0), pair.cols.local(left, col0)
        self._box = top, bottom, left, right
        self._pair = pair

    def run(
        self, coarse: np.ndarray, valid: np.ndarray
    ) -> tuple[Shift | None, float | None, np.ndarray]:
        """(shift in coarse pixels, explained share, valid (n, m)) for good bands (B, n, m)."""
        guide, both = self._guide(0.0, 0.0)
        both &= valid
        parts = _components(coarse, both)
        rough = None if parts is None else find_rough_shift(guide, parts[:_ROUGH_COMPONENTS], both)
        if rough is None:
            return None, None, both
        down, right = map(float, rough)
        found: Shift | None = None
        explained: float | None = None
        for _ in range(_ROUNDS):
            guide, guide_valid = self._guide(down, right)
            both = valid & guide_valid
            predicted, explained = _predict(coarse, guide, both)
            if predicted is None:
                return None, None, both
            step = find_shift(guide, predicted, both)
            if step is None:
                return None, explained, both
            down, right = down + step.down, right + step.right
            found = Shift(down, right, step.peak)
            if max(abs(step.down), abs(step.right)) < _SETTLED:
                break
        return found, explained, both

    def _guide(self, down: float, right: float) -> tuple[np.ndarray, np.ndarray]:
        """The guide through the sensor, (b, n, m), its content moved by so many coarse pixels."""
        top, bottom, left, right_edge = self._box
        rows = Axis(self._rows.ratio, self._rows.offset - down * self._rows.ratio)
        cols = Axis(self._cols.ratio, self._cols.offset - right * self._cols.ratio)
        along = point_spread(rows, self._shape[0], bottom - top, self._sigma).numpy()
        across = point_spread(cols, self._shape[1], right_edge - left, self._sigma).numpy()
        count = self._pair.ms.count
        sums = np.zeros((count, *self._shape))
        weight = np.zeros(self._shape)
        for start in range(top, bottom, _STRIP_ROWS):
            stop = min(start + _STRIP_ROWS, bottom)
            values, valid = self._pair.read_fine(start, stop, left, right_edge)
            part = along[:, start - top : stop - top]
            sums += part @ (values * valid) @ across.T
            weight += part @ valid.astype(np.float32) @ across.T
        return sums / np.maximum(weight, 1e-6), weight > 0.5


def _components(coarse: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """The foremost principal components of (B, n, m), (K, n, m), the first ones the strongest.

    None where too few pixels are valid.
    """
    if valid.sum() < 4 * _COMPONENTS:
        return None
    x = coarse[:, valid].astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    spread = x.std(axis=1, keepdims=True)
    x /= np.where(spread > 0, spread, 1.0)
    _, vectors = np.linalg.eigh(x @ x.T)
    parts = np.zeros((min(_COMPONENTS, len(x)), *valid.shape))
    parts[:, valid] = vectors[:, : -len(parts) - 1 : -1].T @ x
    return parts


def _predict(
    coarse: np.ndarray, guide: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray | None, float | None]:
    """The guide (b, n, m) as the hyperspectral bands predict it, and the variance explained."""
    components = _components(coarse, valid)
    if components is None:
        return None, None
    parts, y = components[:, valid], guide[:, valid]
    mean = y.mean(axis=1, keepdims=True)
    varied = (y - mean).std(axis=1) > 0
    if not varied.any():
        return None, None
    gram = parts @ parts.T
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    fitted = np.linalg.solve(gram, parts @ (y - mean).T).T @ parts
    left = ((y - mean - fitted)[varied] ** 2).sum(axis=1) / ((y - mean)[varied] ** 2).sum(axis=1)
    predicted = np.zeros(guide.shape)
    predicted[:, valid] = fitted + mean
    return predicted, float(1.0 - left.mean())
