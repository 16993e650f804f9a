"""Routing: which feature points go to the low-rank branch, and how they come back.

The points are sorted by confidence, descending and stable; the first of them are the low-rank
cluster L, the rest the cluster N. Both are halves of one sorted list, so a single move of rows
takes the points out and a single move brings them back. The order itself carries no gradient: the
weights M and 1 - M on the points do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LOW_RANK = 0.5  # a confidence above this calls a point low-rank: M outweighs 1 - M


class _MoveRows(torch.autograd.Function):
    """Rows by a permutation; its gradient is rows by the inverse, a gather and no scatter-add."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return rows.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return grad.contiguous().index_select(0, back), None, None


@dataclass(frozen=True)
class Permutation:
    """An order of each sample's points, held as row numbers of all samples' points end to end.

    there: (N·n,) the row that comes to each place; back: (N·n,) its inverse.
    """

    there: Tensor
    back: Tensor

    def sort(self, points: Tensor) -> Tensor:
        """(N, n, C) into this order."""
        return _MoveRows.apply(points.flatten(0, 1), self.there, self.back).view(points.shape)

    def restore(self, points: Tensor) -> Tensor:
        """(N, n, C) in this order, back to their places."""
        return _MoveRows.apply(points.flatten(0, 1), self.back, self.there).view(points.shape)

    def after(self, rows: Tensor) -> Permutation:
        """The same order, of points that `rows` (N·n,) takes out of another list."""
        there = rows[self.there]
        return Permutation(there, _inverse(there))


def descending(keys: Tensor) -> Permutation:
    """The stable order of keys (N, n), none negative, from greatest to least, sample by sample."""
    there = _order(keys.detach())
    return Permutation(there, _inverse(there))


def _inverse(there: Tensor) -> Tensor:
    back = torch.empty_like(there)
    back[there] = torch.arange(there.numel(), device=there.device)
    return back


def _order(keys: Tensor) -> Tensor:
    """(N·n,) row numbers, sample after sample, each sample's from its greatest key to its least."""
    samples, count = keys.shape
    sample = torch.arange(samples, device=keys.device)[:, None]
    if keys.device.type == "cpu" and keys.dtype == torch.float32:
        # torch sorts whole numbers by radix, in half the time; the bits of floats from 0 up are in
        # the order of the floats
        bits = keys.contiguous().view(torch.int32).long()
        return torch.sort((((sample + 1) << 31) - bits).flatten(), stable=True).indices
    order = torch.sort(keys, dim=1, descending=True, stable=True).indices
    return (order + sample * count).flatten()


def routed_grid(confidence: Tensor, ratio: float, auto: bool) -> tuple[int, int]:
    """Sides of the pseudo-grid of the points that a confidence map sends to the low-rank branch.

    confidence: M (N, H, W); a batch is routed by one share. ratio: the share r in [0, 1]. auto: as
    many points as the discriminator calls low-rank, which are those that the low-rank branch would
    see with more than half their weight, and not fewer than r asks for.
    """
    height, width = confidence.shape[1:]
    if auto:
        called = int((confidence > LOW_RANK).sum())
        ratio = max(ratio, called / confidence.numel())
    return low_rank_grid(height, width, ratio)


def low_rank_grid(height: int, width: int, ratio: float) -> tuple[int, int]:
    """Sides of the low-rank cluster's pseudo-grid: n_L is their product.

    height, width: sides of the feature map, at least 2 where 0 < ratio < 1; ratio: the share r in
    [0, 1]. Each side is floor(side·√r), clamped to [1, side - 1]; r = 0 gives no point, r = 1 all.
    """
    if ratio <= 0.0:
        return 0, 0
    if ratio >= 1.0:
        return height, width
    root = math.sqrt(ratio)
    rows, columns = (min(max(int(side * root), 1), side - 1) for side in (height, width))
    return rows, columns
