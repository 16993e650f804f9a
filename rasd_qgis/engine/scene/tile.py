"""Tiling: windows of the scene that overlap, and what of the pair lies in one.

A tile is read whole: the guide's window, the coarse pixels centred in it, and the maps between the
two. The network says how much overlap it needs and how small a side may be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ....models import Tiling
from ..rasters.fill import filled
from ..rasters.grid import Axis
from ..rasters.view import PairView
from ..sensors.observe import Observation
from ..service.copies import sent

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
        """In fine pixels."""
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

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        return [self.guide, self.coarse, self.valid, self.observed, *vars(self.look).values()]


def plan(shape: tuple[int, int], side: int, tiling: Tiling) -> list[list[Place]]:
    """Rows of places, left to right and top to bottom, that cover an image of this shape.

    All begin on lines that are multiples of the network's, so that its coarse scale is the same
    grid in each of them.
    """
    overlap, side = _overlap(tiling), max(side, least_side(tiling))
    rows, cols = (_spans(size, side, overlap, tiling.multiple) for size in shape)
    return [[Place(row, col) for col in cols] for row in rows]


def least_side(tiling: Tiling) -> int:
    """The least side of a tile; a smaller one asked for is this."""
    overlap = _overlap(tiling)
    return max(LEAST_OVERLAPS * overlap, overlap + 3 * tiling.multiple)


def read_tile(pair: PairView, place: Place, sigma: float, device: torch.device) -> Tile:
    """What of the pair lies in a place."""
    span = place.rows.start, place.rows.stop, place.cols.start, place.cols.stop
    rows = pair.rows.cover(span[0], span[1], pair.coarse_shape[0])
    cols = pair.cols.cover(span[2], span[3], pair.coarse_shape[1])
    guide, guide_valid = (sent(a, device) for a in pair.read_fine(*span))
    coarse, coarse_valid = (sent(a, device) for a in pair.read_coarse(*rows, *cols))
    row_axis, col_axis = pair.rows.local(span[0], rows[0]), pair.cols.local(span[2], cols[0])
    valid = guide_valid & _covered(coarse_valid, row_axis, col_axis, guide_valid.shape)
    down = _centred(row_axis, guide_valid.shape[0], coarse_valid.shape[0])
    across = _centred(col_axis, guide_valid.shape[1], coarse_valid.shape[1])
    coarse, coarse_valid = filled(coarse, coarse_valid)[:, down, across], coarse_valid[down, across]
    axes = row_axis.local(0, down.start), col_axis.local(0, across.start)
    look = Observation.between(guide_valid.shape, coarse_valid.shape, *axes, sigma, device)
    observed = coarse_valid & (look.down(valid.float()) > 0.999)
    observed &= _within(axes[0], coarse_valid.shape[0], guide_valid.shape[0])[:, None].to(device)
    observed &= _within(axes[1], coarse_valid.shape[1], guide_valid.shape[1]).to(device)
    return Tile(filled(guide, guide_valid), coarse, look, valid, observed)


def _spans(size: int, side: int, overlap: int, multiple: int) -> list[Span]:
    """Spans of about one size, at most `side`, that begin on multiples and share `overlap`."""
    most = side // multiple * multiple - overlap
    count = math.ceil((size - overlap) / most)
    if size <= side or count <= 1:
        return [Span(0, size, 0, 0)]
    starts = [
        _whole(math.ceil(index * (size - overlap) / count), multiple) for index in range(count)
    ]
    stops = [*(later + overlap for later in starts[1:]), size]
    return [
        Span(start, stop, overlap if start else 0, overlap if stop < size else 0)
        for start, stop in zip(starts, stops)
    ]


def _overlap(tiling: Tiling) -> int:
    return _whole(2 * tiling.halo, tiling.multiple)


def _whole(size: int, multiple: int) -> int:
    """The least multiple that is no less."""
    return -(-size // multiple) * multiple


def _covered(valid: Tensor, rows: Axis, cols: Axis, shape: tuple[int, ...]) -> Tensor:
    """Fine pixels of that shape (H, W) that lie in a valid coarse one, of (h, w)."""
    under_rows, inside_rows = _under(rows, shape[0], valid.shape[0])
    under_cols, inside_cols = _under(cols, shape[1], valid.shape[1])
    inside = (inside_rows[:, None] & inside_cols).to(valid.device)
    return valid[under_rows][:, under_cols] & inside


def _under(axis: Axis, fine: int, coarse: int) -> tuple[Tensor, Tensor]:
    """(fine,) the coarse pixel that every fine one lies in, and whether there is one."""
    place = (torch.arange(fine, dtype=torch.float64) + 0.5 - axis.offset) / axis.ratio
    index = place.floor().long()
    return index.clamp(0, coarse - 1), (index >= 0) & (index < coarse)


def _centred(axis: Axis, fine: int, coarse: int) -> slice:
    """Coarse pixels, one at least, whose centres lie in the fine window.

    The guide does not show what the others saw, which the closed form would take for its detail.
    """
    first = min(max(math.ceil(axis.to_coarse(0) - 0.5), 0), coarse - 1)
    last = math.floor(axis.to_coarse(fine) - 0.5)
    return slice(first, min(max(last, first) + 1, coarse))


def _within(axis: Axis, coarse: int, fine: int) -> Tensor:
    """(coarse,) whether a coarse pixel lies in the fine window with all of its ground."""
    start = axis.offset + axis.ratio * torch.arange(coarse)
    return (start >= -0.01) & (start + axis.ratio <= fine + 0.01)
