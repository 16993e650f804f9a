"""Views: what the numerics ask of a pair, whether it is read from files or made of a reference."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .grid import Axis
from .spectral import SpectralInfo

# Values (bands, n, m) float32 and validity (n, m) bool.
Image = tuple[np.ndarray, np.ndarray]


class Side(Protocol):
    """One of a pair's two images: count of its bands, what they see, (count,) which are good."""

    @property
    def count(self) -> int:
        """Number of bands."""

    @property
    def spectral(self) -> SpectralInfo:
        """What the bands see."""

    @property
    def good(self) -> np.ndarray:
        """(count,) bool."""


class Size(Protocol):
    """The size of an image in pixels."""

    @property
    def height(self) -> int:
        """Rows."""

    @property
    def width(self) -> int:
        """Columns."""


class PairView(Protocol):
    """A hyperspectral image (hs) that lies on a fine grid, and the guide (ms) on that grid.

    rows, cols: how the coarse image, of coarse_shape (h, w), lies on the fine one. Windows are
    rows [row0, row1) and columns [col0, col1), and must lie inside.
    """

    @property
    def fine(self) -> Size:
        """The fine grid."""

    @property
    def rows(self) -> Axis:
        """How rows lie."""

    @property
    def cols(self) -> Axis:
        """How columns lie."""

    @property
    def coarse_shape(self) -> tuple[int, int]:
        """(h, w)."""

    @property
    def hs(self) -> Side:
        """The coarse image."""

    @property
    def ms(self) -> Side:
        """The guide."""

    def read_fine(self, row0: int, row1: int, col0: int, col1: int, /) -> Image:
        """The guide in a window of the fine grid."""

    def read_coarse(self, row0: int, row1: int, col0: int, col1: int, /) -> Image:
        """The hyperspectral image in a window of the coarse grid."""
