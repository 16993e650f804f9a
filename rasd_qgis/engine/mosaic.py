"""The mosaic: tiles in, blocks of files out, in two stages beside the loop that makes the tiles.

The first blends a tile, encodes what of it is finished, and keeps that on disk; the second writes
the blocks that this completed, each once. Neither holds more than a tile, however large the image.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from .rasters.spool import Pieces
from .rasters.write import BLOCK
from .resume import Journal
from .scene.blend import Blender, Carry
from .scene.tile import Place
from .service.stages import Behind


class Layers(Protocol):
    """The rasters that a mosaic fills, in layers; count: of them."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def missing(self) -> list[bool]:
        """By layer, whether any pixel so far is nodata."""

    def stored(self, piece: Tensor) -> list[np.ndarray]:
        """A finished piece of stacked channels, (channels, h, w), as each layer stores it."""

    def put(self, layer: int, window: Window, values: np.ndarray) -> None:
        """Write stored values (bands, h, w) into a layer's file."""


class Mosaic:
    """Takes the tiles of a plan in order; a context manager, which ends when all is written.

    folder: for what waits; it must be there, and is left there. Disk: the rows of tiles that have
    not all been written yet, as they are stored, and one overlap across the image in float32.
    journal: where finished tiles are noted; what they consist of then stays in the folder.
    """

    def __init__(
        self,
        rows: list[list[Place]],
        layers: Layers,
        folder: Path,
        journal: Journal | None = None,
    ) -> None:
        self._places = [place for row in rows for place in row]
        self._layers = layers
        lines = [0, *(row[0].rows.stop - row[0].rows.after for row in rows)]
        columns = [0, *(place.cols.stop - place.cols.after for place in rows[0])]
        self._shape = lines[-1], columns[-1]
        self._pieces = Pieces(folder, lines, columns, layers.count, journal is not None)
        self._blender = Blender(Carry(folder, journal is not None))
        self._journal = journal
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Mosaic:
        # The later stage is left last, as the earlier one still hands on to it.
        self._writing = self._stack.enter_context(Behind())
        self._keeping = self._stack.enter_context(Behind())
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def take_up(self, count: int) -> None:
        """Take the first tiles, which an earlier run finished, from the folder."""
        self._keeping.call(self._rewrite, count)

    def add(self, number: int, values: Tensor, record: Mapping[str, Any] | None = None) -> None:
        """Add tile `number`: (channels, H, W) on the CPU; `values` is used up. record: noted."""
        self._keeping.call(self._keep, number, values, record)

    def _rewrite(self, count: int) -> None:
        for place in self._places[:count]:
            self._writing.call(self._write, place)

    @torch.inference_mode()
    def _keep(self, number: int, values: Tensor, record: Mapping[str, Any] | None) -> None:
        """Blend and encode a tile, and have the blocks written that it completes."""
        place = self._places[number]
        _, _, piece = self._blender.add(place, values)
        files = self._pieces.put(number, self._layers.stored(piece))
        if self._journal is not None:
            noted = {**(record or {}), "missing": self._layers.missing}
            self._journal.add(noted, files, self._blender.handed(place))
        self._blender.forget(place)
        self._writing.call(self._write, place)

    def _write(self, place: Place) -> None:
        """Write the blocks that a tile's piece completes."""
        for window in self._completed(place):
            for layer, values in enumerate(self._pieces.read(window)):
                self._layers.put(layer, window, values)
        if self._journal is None and not place.cols.after:
            self._pieces.drop_above(self._on_block(place.rows.stop - place.rows.after, 0))

    def _completed(self, place: Place) -> Iterator[Window]:
        """The blocks whose last pixel lies in the tile's piece."""
        spans = [
            (self._on_block(span.start, axis), self._on_block(span.stop - span.after, axis))
            for axis, span in enumerate((place.rows, place.cols))
        ]
        for row in range(*spans[0], BLOCK):
            for col in range(*spans[1], BLOCK):
                height, width = min(BLOCK, spans[0][1] - row), min(BLOCK, spans[1][1] - col)
                yield Window(col, row, width, height)

    def _on_block(self, line: int, axis: int) -> int:
        """The last edge of a block at or before a line of the image."""
        return line if line == self._shape[axis] else line // BLOCK * BLOCK
