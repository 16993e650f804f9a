"""Blending: tiles that overlap, faded into each other and handed on in finished pieces.

Weights rise and fall linearly over the overlaps and sum to 1 everywhere. Only what still waits for
a neighbour is kept: one overlap to the right, and one below across the image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .tile import Place, Span


class Blender:
    """Takes tiles row by row, left to right; returns what is finished.

    width: of the image. Values are (channels, rows, columns); every channel is blended.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._below: Tensor | None = None
        self._next: Tensor | None = None
        self._right: Tensor | None = None

    def add(self, place: Place, values: Tensor) -> tuple[int, int, Tensor]:
        """Add a tile; the row and column where the finished piece starts, and the piece.

        The tile's memory is used for it: `values` is changed.
        """
        rows, cols = place.rows, place.cols
        values *= _ramp(rows, values)[:, None] * _ramp(cols, values)
        if rows.before and self._below is not None:
            new = slice(cols.start + cols.before, cols.stop)
            values[:, : rows.before, cols.before :] += self._below[:, :, new]
        if cols.before and self._right is not None:
            values[:, :, : cols.before] += self._right
        done_cols, done_rows = cols.size - cols.after, rows.size - rows.after
        self._right = values[:, :, done_cols:].clone() if cols.after else None
        if rows.after:
            if self._next is None:
                self._next = values.new_zeros(values.shape[0], rows.after, self.width)
            done = slice(cols.start, cols.start + done_cols)
            self._next[:, :, done] = values[:, done_rows:, :done_cols]
        if not cols.after:
            self._below, self._next = self._next, None
        return rows.start, cols.start, values[:, :done_rows, :done_cols]


def _ramp(span: Span, like: Tensor) -> Tensor:
    """The weights along a span: rising over what it shares before it, falling over what after."""
    weight = torch.ones(span.size, dtype=like.dtype, device=like.device)
    weight[: span.before] = _rise(span.before, like)
    if span.after:
        weight[-span.after :] = _rise(span.after, like).flip(0)
    return weight


def _rise(steps: int, like: Tensor) -> Tensor:
    return (torch.arange(steps, dtype=like.dtype, device=like.device) + 0.5) / max(steps, 1)
