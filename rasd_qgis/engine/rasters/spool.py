"""The spool: finished pieces on disk, as they will be stored, until their blocks are written.

Tiles end where the network wants them to, blocks of a file every 256 pixels. A block that is
written once is compressed once, so pieces wait here until all of a block is there; and what lies
here is what a run that was cut short need not compute again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window


class Pieces:
    """The pieces that an image is cut into by lines across it, in some layers.

    rows, cols: where the pieces start, and last where they end. safe: have all reach the disk at
    once, so that a loss of power spares it.
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[int],
        cols: Sequence[int],
        layers: int,
        safe: bool = False,
    ) -> None:
        self._folder, self._layers, self._safe, self._dropped = folder, layers, safe, 0
        self._rows, self._cols = np.asarray(rows), np.asarray(cols)

    def put(self, number: int, arrays: Sequence[np.ndarray]) -> list[Path]:
        """Keep a piece, (bands, h, w) a layer; number: row by row. Its files."""
        paths = [self._path(number, layer) for layer in range(len(arrays))]
        for path, array in zip(paths, arrays):
            with open(path, "wb") as file:
                np.save(file, array, allow_pickle=False)
                if self._safe:
                    file.flush()
                    os.fsync(file.fileno())
        return paths

    def read(self, window: Window) -> Iterator[np.ndarray]:
        """Every layer in a window inside pieces that were put: (bands, h, w)."""
        row, col = int(window.row_off), int(window.col_off)
        rows, cols = slice(row, row + int(window.height)), slice(col, col + int(window.width))
        for layer in range(self._layers):
            strips = [
                [self._part(layer, i, j, rows, cols) for j in _met(self._cols, cols)]
                for i in _met(self._rows, rows)
            ]
            yield np.concatenate([np.concatenate(strip, axis=2) for strip in strips], axis=1)

    def drop_above(self, row: int) -> None:
        """Remove the pieces that end at this row of the image or above it."""
        done = int(np.searchsorted(self._rows, row, side="right")) - 1
        for number in range(self._dropped, done * self._across):
            for layer in range(self._layers):
                self._path(number, layer).unlink(missing_ok=True)
        self._dropped = max(self._dropped, done * self._across)

    @property
    def _across(self) -> int:
        return len(self._cols) - 1

    def _part(self, layer: int, i: int, j: int, rows: slice, cols: slice) -> np.ndarray:
        """What piece (i, j) holds of a window."""
        piece = np.load(self._path(i * self._across + j, layer), mmap_mode="r", allow_pickle=False)
        return np.array(piece[:, _within(self._rows, i, rows), _within(self._cols, j, cols)])

    def _path(self, number: int, layer: int) -> Path:
        return self._folder / f"piece-{number:06d}-{layer}.npy"


def _met(lines: np.ndarray, part: slice) -> range:
    """The intervals between lines that a part of the axis meets."""
    first = int(np.searchsorted(lines, part.start, side="right")) - 1
    return range(first, int(np.searchsorted(lines, part.stop, side="left")))


def _within(lines: np.ndarray, index: int, part: slice) -> slice:
    """The part of the axis that lies in an interval, counted from its start."""
    start, stop = int(lines[index]), int(lines[index + 1])
    return slice(max(part.start, start) - start, min(part.stop, stop) - start)
