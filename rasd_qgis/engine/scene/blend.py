"""Blending: tiles that overlap, faded into each other and handed on in finished pieces.

Weights rise and fall over the middle of the overlaps and sum to 1 everywhere. What still waits for
a neighbour, one overlap to the right and one below across the image, lies on disk, so that memory
does not grow with the image.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .tile import Place, Span

ROWS = torch.contiguous_format


class Carry:
    """What tiles hand to their neighbours: (columns, …) float32, in ranges of columns, by name.

    Each name is a file of the folder. safe: have all reach the disk at once, so that a loss of
    power spares it. Raises OSError where the disk is full.
    """

    def __init__(self, folder: Path, safe: bool = False) -> None:
        self._folder, self._safe = folder, safe

    def put(self, name: str, first: int, values: Tensor) -> None:
        """Keep values under a name from this column on."""
        path = self.path(name)
        array = values.contiguous().numpy()
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.seek(first * array[0].nbytes)
            file.write(array.data)
            if self._safe:
                file.flush()
                os.fsync(file.fileno())

    def get(self, name: str, first: int, shape: tuple[int, ...]) -> Tensor:
        """What was put, from this column on."""
        column = int(np.prod(shape[1:]))
        array = np.fromfile(
            self.path(name), "float32", shape[0] * column, offset=4 * first * column
        )
        return torch.from_numpy(array.reshape(shape))

    def drop(self, name: str) -> None:
        """Forget a name, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """The file of a name."""
        return self._folder / f"{name}.carry"


class Blender:
    """Takes tiles row by row, left to right; returns what is finished.

    Values are (channels, rows, columns) float32; every channel is blended. It holds nothing itself:
    with the carry of an earlier one it goes on where that one was.
    """

    def __init__(self, carry: Carry) -> None:
        self._carry = carry

    def add(self, place: Place, values: Tensor) -> tuple[int, int, Tensor]:
        """Add a tile; the row and column where the finished piece starts, and the piece.

        The tile's memory is used for it: `values` is changed. A tile may be added again, as long as
        `forget` was not called for it.
        """
        rows, cols = place.rows, place.cols
        values *= _ramp(rows, values)[:, None] * _ramp(cols, values)
        channels = len(values)
        if rows.before:
            shape = cols.size - cols.before, channels, rows.before
            above = self._carry.get(_below(rows.start), cols.start + cols.before, shape)
            values[:, : rows.before, cols.before :] += above.permute(1, 2, 0)
        if cols.before:
            shape = cols.before, channels, rows.size
            left = self._carry.get(_right(rows.start, cols.start), 0, shape)
            values[:, :, : cols.before] += left.permute(1, 2, 0)
        done_cols, done_rows = cols.size - cols.after, rows.size - rows.after
        if cols.after:
            name = _right(rows.start, cols.start + done_cols)
            self._carry.put(
                name, 0, values[:, :, done_cols:].permute(2, 0, 1).clone(memory_format=ROWS)
            )
        if rows.after:
            below = values[:, done_rows:, :done_cols].permute(2, 0, 1).clone(memory_format=ROWS)
            self._carry.put(_below(rows.start + done_rows), cols.start, below)
        return rows.start, cols.start, values[:, :done_rows, :done_cols]

    def handed(self, place: Place) -> list[Path]:
        """The files in which what the tile was handed, or has handed on, waits for later tiles."""
        rows, cols, names = place.rows, place.cols, []
        if cols.after:
            names += [_right(rows.start, cols.stop - cols.after)]
            names += [_below(rows.start)] if rows.before else []
        if rows.after:
            names += [_below(rows.stop - rows.after)]
        return [self._carry.path(name) for name in names]

    def forget(self, place: Place) -> None:
        """Drop what the tile was handed, once its piece is safe."""
        rows, cols = place.rows, place.cols
        if cols.before:
            self._carry.drop(_right(rows.start, cols.start))
        if rows.before and not cols.after:
            self._carry.drop(_below(rows.start))


def _below(row: int) -> str:
    """The name of what a row of tiles hands to the one that starts at this row."""
    return f"below-{row}"


def _right(row: int, col: int) -> str:
    """The name of what a tile hands to the one that starts here."""
    return f"right-{row}-{col}"


def _ramp(span: Span, like: Tensor) -> Tensor:
    """The weights along a span: rising over what it shares before it, falling over what after."""
    weight = torch.ones(span.size, dtype=like.dtype, device=like.device)
    weight[: span.before] = _rise(span.before, like)
    if span.after:
        weight[-span.after :] = _rise(span.after, like).flip(0)
    return weight


def _rise(steps: int, like: Tensor) -> Tensor:
    """From 0 to 1 over an overlap: none of a tile's outer quarter, where its edge is felt."""
    place = (torch.arange(steps, dtype=like.dtype, device=like.device) + 0.5) / max(steps, 1)
    return (2 * place - 0.5).clamp(0, 1)
