"""Thumbnails: a scene of any size as a small picture, gathered while its windows pass by."""

from __future__ import annotations

import base64
import warnings

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from torch import Tensor

from ..rasters.spectral import SpectralInfo, natural_colour

# The longest side, in pixels.
SIDE = 360
# Shares of the pixels that a stretch saturates at either end.
STRETCH = (0.01, 0.99)
# Black, violet, orange, pale yellow: lightness rises evenly, so it reads in grey as well.
RAMP = ((0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164))


class Thumbnail:
    """Every n-th pixel of an image of this shape, float32, NaN where none came by.

    step: n. pixels: (channels, rows, columns).
    """

    def __init__(self, channels: int, shape: tuple[int, int]) -> None:
        self.step = max(1, -(-max(shape) // SIDE))
        rows, cols = (-(-side // self.step) for side in shape)
        self.pixels = np.full((channels, rows, cols), np.nan, dtype=np.float32)

    def add(self, row: int, col: int, image: Tensor) -> None:
        """Take what is needed of a window (channels, h, w) that starts at this row and column."""
        top, left = -row % self.step, -col % self.step
        taken = image[:, top :: self.step, left :: self.step]
        first = (row + top) // self.step, (col + left) // self.step
        height, width = taken.shape[1:]
        self.pixels[:, first[0] : first[0] + height, first[1] : first[1] + width] = taken.numpy()


def stretch_of(pixels: np.ndarray) -> np.ndarray:
    """(channels, 2): the values to show darkest and brightest; 0 and 1 where there are none."""
    limits = []
    for channel in pixels:
        seen = channel[np.isfinite(channel)]
        low, high = np.quantile(seen, STRETCH) if seen.size else (0.0, 1.0)
        limits.append((low, high if high > low else low + 1.0))
    return np.array(limits)


def coloured(pixels: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Three channels (3, h, w), stretched, as colours and opacity (4, h, w) uint8."""
    low, high = limits.T[:, :, None, None]
    shown = np.clip((pixels - low) / (high - low), 0, 1)
    return _opaque(np.nan_to_num(shown) * 255, np.isfinite(pixels).all(0))


def ramped(values: np.ndarray, greatest: float) -> np.ndarray:
    """One channel (h, w) from 0 to `greatest` in the ramp's colours, (4, h, w) uint8."""
    place = np.clip(np.nan_to_num(values) / (greatest or 1.0), 0, 1)
    stops = np.linspace(0, 1, len(RAMP))
    colours = [np.interp(place, stops, [stop[c] for stop in RAMP]) for c in range(3)]
    return _opaque(np.stack(colours), np.isfinite(values))


def png_address(picture: np.ndarray) -> str:
    """A picture (4, h, w) uint8 as the address of a PNG that holds itself (data:)."""
    size = {"count": 4, "height": picture.shape[1], "width": picture.shape[2], "dtype": "uint8"}
    with MemoryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with file.open(driver="PNG", **size) as dataset:
            dataset.write(picture)
        return "data:image/png;base64," + base64.b64encode(file.read()).decode("ascii")


def _opaque(colours: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return np.concatenate([colours, 255.0 * seen[None]]).round().astype(np.uint8)


def shown_bands(bands: np.ndarray, *infos: SpectralInfo) -> list[int]:
    """Places among `bands` (indices) of red, green and blue, by the first of `infos` that tells.

    Spread evenly where none does.
    """
    for info in infos:
        usable = np.isin(np.arange(info.count), bands)
        rgb = natural_colour(info, usable.tolist())
        if rgb is not None:
            return [int(np.searchsorted(bands, band - 1)) for band in rgb]
    return np.linspace(len(bands) - 1, 0, 3).round().astype(int).tolist()
