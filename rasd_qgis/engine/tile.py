"""Tiling: windows of the scene that overlap, and what of the pair lies in one.

A tile is read whole: the guide's window, the coarse pixels that cover it with a margin, and the maps
between the two. The network says how much overlap it needs and how small a side may be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...models import Tiling
from .align import Alignment
from .fill import filled
from .grid import Axis
from .observe import Observation

# Coarse pixels beyond a tile that its interpolation and PSF reach.
MARGIN = 3
# The least side of a tile in overlaps: shorter ones could lie three deep.
LEAST_OVERLAPS = 3


@dataclass(frozen=True)
class Span:
    """Fine pixels [start, stop) along an axis, of which the first `before` lie in the span before
    and the last `after` in the one after it.
    """

    start: int
    stop: int
    before: int
    after: int

    @property
    def size(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Place:
    """Where a tile lies."""

    rows: Span
    cols: Span


@dataclass(frozen=True)
class Tile:
    """The pair in one place, in DN; holes are filled and marked in the masks.

    guide: (b, H, W); coarse: (B, h, w); look: between the two. valid: (H, W) where both images are;
    observed: (h, w) coarse pixels that are valid and wholly seen inside the tile.
    """

    guide: Tensor
    coarse: Tensor
    look: Observation
    valid: Tensor
    observed: Tensor


def plan(shape: tuple[int, int], side: int, tiling: Tiling) -> list[list[Place]]:
    """Rows of places, left to right and top to bottom, that cover an image of this shape."""
    overlap = 2 * tiling.halo
    rows, cols = (_spans(size, max(side, LEAST_OVERLAPS * overlap), overlap) for size in shape)
    return [[Place(row, col) for col in cols] for row in rows]


def read_tile(pair: Alignment, place: Place, sigma: float, device: torch.device) -> Tile:
    """What of the pair lies in a place."""
    span = place.rows.start, place.rows.stop, place.cols.start, place.cols.stop
    rows = pair.rows.cover(span[0], span[1], pair.coarse_shape[0], MARGIN)
    cols = pair.cols.cover(span[2], span[3], pair.coarse_shape[1], MARGIN)
    row_axis, col_axis = pair.rows.local(span[0], rows[0]), pair.cols.local(span[2], cols[0])
    guide, guide_valid = (torch.from_numpy(a).to(device) for a in pair.read_fine(*span))
    coarse, coarse_valid = (torch.from_numpy(a).to(device) for a in pair.read_coarse(*rows, *cols))
    fine_shape, coarse_shape = guide_valid.shape, coarse_valid.shape
    look = Observation.between(fine_shape, coarse_shape, row_axis, col_axis, sigma, device)
    under_rows, inside_rows = _under(row_axis, *_sizes(fine_shape, coarse_shape, 0))
    under_cols, inside_cols = _under(col_axis, *_sizes(fine_shape, coarse_shape, 1))
    covered = coarse_valid[under_rows][:, under_cols] & inside_rows[:, None] & inside_cols
    valid = guide_valid & covered
    observed = coarse_valid & (look.down(valid.float()) > 0.999)
    observed &= _within(row_axis, *_sizes(fine_shape, coarse_shape, 0))[:, None].to(device)
    observed &= _within(col_axis, *_sizes(fine_shape, coarse_shape, 1)).to(device)
    return Tile(filled(guide, guide_valid), filled(coarse, coarse_valid), look, valid, observed)


def _sizes(fine: tuple[int, ...], coarse: tuple[int, ...], axis: int) -> tuple[int, int]:
    return fine[axis], coarse[axis]


def _spans(size: int, side: int, overlap: int) -> list[Span]:
    """Spans of one size, at most `side`, that overlap by about `overlap`."""
    count = max(1, math.ceil((size - overlap) / (side - overlap)))
    if count == 1:
        return [Span(0, size, 0, 0)]
    side = math.ceil((size + (count - 1) * overlap) / count)
    starts = [round(index * (size - side) / (count - 1)) for index in range(count)]
    shared = [0, *(start + side - later for start, later in zip(starts, starts[1:])), 0]
    return [
        Span(start, start + side, shared[index], shared[index + 1])
        for index, start in enumerate(starts)
    ]


def _under(axis: Axis, fine: int, coarse: int) -> tuple[Tensor, Tensor]:
    """(fine,) the coarse pixel that every fine one lies in, and whether there is one."""
    place = (torch.arange(fine, dtype=torch.float64) + 0.5 - axis.offset) / axis.ratio
    index = place.floor().long()
    return index.clamp(0, coarse - 1), (index >= 0) & (index < coarse)


def _within(axis: Axis, fine: int, coarse: int) -> Tensor:
    """(coarse,) whether a coarse pixel lies in the fine window with all of its ground."""
    start = axis.offset + axis.ratio * torch.arange(coarse)
    return (start >= -0.01) & (start + axis.ratio <= fine + 0.01)
