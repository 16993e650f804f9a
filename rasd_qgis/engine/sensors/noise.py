"""Noise: what a simulated sensor adds of its own, at a stated signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from rasterio.windows import Window

from ..rasters.encode import Encoding


class Piece(NamedTuple):
    """A part of an image: its window, values (bands, h, w) in DN, validity (h, w)."""

    window: Window
    values: np.ndarray
    valid: np.ndarray


class Noise:
    """White Gaussian noise of a stated SNR, band by band; none where that is None.

    SNR = 10 log10(mean of the squared signal / variance of the noise) in dB, over valid pixels.
    The signal is the scaled value, so an offset counts.
    """

    def __init__(self, snr: float | None, seed: list[int], encoding: Encoding) -> None:
        self._snr, self._seed = snr, seed
        both = zip(encoding.offsets, encoding.scales)
        self._zero = np.array([offset / scale for offset, scale in both])[:, None]
        self._spread: np.ndarray | None = None

    def measure(self, pieces: Iterator[Piece]) -> None:
        """Find how strong the signal is, where noise is to be added at all."""
        if self._snr is None:
            return
        squares, count = np.zeros(1), 0
        for piece in pieces:
            signal = piece.values[:, piece.valid].astype(np.float64)
            squares = squares + np.nan_to_num(np.square(signal + self._zero)).sum(axis=1)
            count += signal.shape[1]
        self._spread = np.sqrt(squares / max(count, 1)) * 10.0 ** (-self._snr / 20.0)

    def add(self, piece: Piece) -> np.ndarray:
        """The piece's values with noise; the same seed and window give the same noise."""
        if self._spread is None:
            return piece.values
        place = int(piece.window.row_off), int(piece.window.col_off)
        random = np.random.default_rng([*self._seed, *place])
        noise = random.standard_normal(piece.values.shape, dtype=np.float32)
        return piece.values + noise * self._spread.astype(np.float32)[:, None, None]
