"""Wald's protocol on references: pairs whose fusion is known, made window by window.

A `WaldPair` is read like a pair of rasters that lie on one another (`Alignment`), and gives what
their fusion should have found besides. Its truth is a reference image; or, of a ready pair without
one, the hyperspectral image itself, the guide being brought to its grid and both reduced by the
pair's ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..rasters.align import MARGIN, Alignment
from ..rasters.fill import filled
from ..rasters.grid import Axis
from ..rasters.spectral import SpectralInfo
from ..rasters.view import Image, Side
from ..scene.survey import LEAST_SEEN
from ..sensors.observe import centred, point_spread, seen
from ..sensors.psf import Blur
from .cube import Cube, Read


@dataclass(frozen=True)
class Bands:
    """A side that is made, not read."""

    spectral: SpectralInfo
    good: np.ndarray

    @property
    def count(self) -> int:
        """Number of bands."""
        return self.spectral.count


@dataclass(frozen=True)
class Extent:
    """The size of an image, in pixels."""

    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width


@dataclass(frozen=True)
class WaldPair:
    """A pair and its truth. Windows are (row0, row1, col0, col1) and must lie inside.

    name: of what it is made of. hs, ms: its two sides. fine: size of the truth and of the guide.
    rows, cols: how the coarse image, of coarse_shape (h, w), lies on the fine one. read_truth:
    (B, n, m) and validity; read_fine: the guide, (b, n, m). size: of the files, bytes.
    """

    name: str
    hs: Side
    ms: Side
    fine: Extent
    rows: Axis
    cols: Axis
    coarse_shape: tuple[int, int]
    read_truth: Read
    read_fine: Read
    read_coarse: Read
    size: int


@dataclass(frozen=True)
class Guide:
    """weights: (b, B) float32 of the guide's bands on the reference's; side: the guide's bands."""

    weights: np.ndarray
    side: Bands


def of_cube(cube: Cube, ratio: float, offset: float, blur: Blur, guide: Guide) -> WaldPair:
    """A reference seen by two sensors. offset: the fine coordinate where the coarse one begins."""
    axis = Axis(ratio, offset)
    shape = int(cube.grid.height / ratio + 1e-6), int(cube.grid.width / ratio + 1e-6)
    fine = Extent(int(shape[0] * ratio + 1e-6), int(shape[1] * ratio + 1e-6))

    def project(row0: int, row1: int, col0: int, col1: int) -> Image:
        values, valid = cube.read(row0, row1, col0, col1)
        return np.tensordot(guide.weights, values, 1), valid

    coarse = _blurred(cube.read, fine.shape, (axis, axis), blur)
    sides = Bands(cube.spectral, cube.good), guide.side
    return WaldPair(
        cube.name, *sides, fine, axis, axis, shape, cube.read, project, coarse, cube.size
    )


def of_pair(pair: Alignment, truth: Cube, start: tuple[int, int]) -> WaldPair:
    """A ready pair with its truth, whose pixel `start` (row, col) is the guide's first."""

    def read(row0: int, row1: int, col0: int, col1: int) -> Image:
        row, col = start
        return truth.read(row0 + row, row1 + row, col0 + col, col1 + col)

    return WaldPair(
        pair.hs.name,
        pair.hs,
        pair.ms,
        Extent(*pair.fine.shape),
        pair.rows,
        pair.cols,
        pair.coarse_shape,
        read,
        pair.read_fine,
        pair.read_coarse,
        truth.size,
    )


def of_reduced(pair: Alignment, blur: Blur, size: int) -> WaldPair:
    """A ready pair one scale down, its own hyperspectral image the truth."""
    height, width = pair.coarse_shape
    axes = _inner(pair.rows, height), _inner(pair.cols, width)
    shape = int(height / pair.rows.ratio + 1e-6), int(width / pair.cols.ratio + 1e-6)
    fine = Extent(height, width)
    guide = _blurred(pair.read_fine, pair.fine.shape, (pair.rows, pair.cols), blur)
    coarse = _blurred(pair.read_coarse, fine.shape, axes, blur)
    return WaldPair(
        pair.hs.name, pair.hs, pair.ms, fine, *axes, shape, pair.read_coarse, guide, coarse, size
    )


def margin(ratio: float) -> int:
    """Fine pixels around a window beyond which nothing changes what a network sees in it."""
    return int(np.ceil(MARGIN * ratio))


def _inner(axis: Axis, size: int) -> Axis:
    """The reduced image's axis, centred on `size` pixels."""
    small = int(size / axis.ratio + 1e-6)
    return Axis(axis.ratio, (size - small * axis.ratio) / 2)


def _blurred(read: Read, fine: tuple[int, int], axes: tuple[Axis, Axis], blur: Blur) -> Read:
    """An image of size `fine` as a coarse sensor sees it: blurred, and sampled.

    A pixel is valid where nearly all that it sees is, and its centre lies on the image.
    """

    def look(row0: int, row1: int, col0: int, col1: int) -> Image:
        coarse = (row0, row1), (col0, col1)
        spans = [_seen(*one, blur) for one in zip(axes, coarse, fine)]
        values, valid = map(torch.from_numpy, read(*spans[0], *spans[1]))
        local = [
            (axis.local(span[0], cut[0]), cut[1] - cut[0], span[1] - span[0])
            for axis, span, cut in zip(axes, spans, coarse)
        ]
        down, across = (point_spread(*place, blur.sigma, blur.reach) for place in local)
        rows, cols = (centred(*place) for place in local)
        image = down @ filled(values, valid) @ across.T
        whole = down @ valid.float() @ across.T > LEAST_SEEN
        return image.numpy(), (whole & rows[:, None] & cols).numpy()

    return look


def _seen(axis: Axis, coarse: tuple[int, int], size: int, blur: Blur) -> tuple[int, int]:
    """Fine pixels (start, stop), one at least, that these coarse ones see."""
    start, stop = seen(axis, coarse, size, blur.sigma, blur.reach)
    start = min(start, size - 1)
    return start, max(stop, start + 1)
