"""Samples: single pixels whose spectra a report shows, chosen by their spectral angle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .thumbnail import Thumbnail

# Pixels whose spectra are shown, by the share of pixels with a smaller angle.
SAMPLES = ((0.5, "median angle"), (0.95, "95th percentile of the angle"), (1.0, "largest angle"))


class Sample(NamedTuple):
    """A pixel's name and its two spectra, by the bands that count."""

    name: str
    fused: list[float]
    other: list[float]


class Pixel(NamedTuple):
    """Where a sample is to be taken, and what it is called."""

    name: str
    row: int
    col: int


def pick(shown: Thumbnail) -> list[Pixel]:
    """The pixels at the shares in SAMPLES of all that are shown; none where no angle is told.

    shown: a thumbnail whose last channel is the spectral angle, NaN where there is none.
    """
    angles = shown.pixels[-1]
    ordered = np.argsort(angles, axis=None)[: int(np.isfinite(angles).sum())]
    picked = []
    for share, name in SAMPLES if len(ordered) else ():
        place = int(ordered[round(share * (len(ordered) - 1))])
        row, col = (shown.step * int(index) for index in np.unravel_index(place, angles.shape))
        picked.append(Pixel(f"{name}, row {row + 1}, column {col + 1}", row, col))
    return picked
