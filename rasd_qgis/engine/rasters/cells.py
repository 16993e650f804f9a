"""Cells: an output as many GeoTIFFs of one size in a folder, and a VRT beside it that joins them.

Larger than one file should be, a scene is still one raster for whoever opens the VRT. The folder
has a name of the run's, `<stem>.tiles-<run id>`, so that the VRT, renamed last, goes over from an
earlier result to this one at once; then the earlier one's folder goes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree  # nosec B405  # it only writes

import numpy as np
import rasterio
from rasterio.windows import Window

from .encode import Encoding, stored
from .grid import Grid
from .spectral import SpectralInfo, write_spectral
from .write import BLOCK, OutputRaster, failed

# Side of a cell: 8 GiB of 224 bands of 16 bits, uncompressed. A multiple of BLOCK.
CELL = 16 * BLOCK
# Characters of a VRT in which the first of its cells is named, after CRS and metadata.
_HEAD = 2**22
# What the VRT format calls them.
_TYPES = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32",
    "int32": "Int32", "uint64": "UInt64", "int64": "Int64", "float32": "Float32",
    "float64": "Float64",
}  # fmt: skip


def is_joined(path: str) -> bool:
    """Whether an output of this name is made of cells."""
    return Path(path).suffix.lower() == ".vrt"


class JoinedRaster:
    """As an `OutputRaster`, and written like one; no window may reach into two cells."""

    def __init__(
        self,
        path: str,
        run_id: str,
        grid: Grid,
        spectral: SpectralInfo,
        encoding: Encoding,
        tags: Mapping[str, str] | None = None,
        cloud: bool = False,
    ) -> None:
        self.path = Path(path)
        self.grid, self.spectral, self.encoding = grid, spectral, encoding
        self.has_missing, self.notes = False, list[str]()
        self._tags, self._cloud, self._run_id = dict(tags or {}), cloud, run_id
        self._hidden = self.path.with_name(f".{self.path.stem}.rasd-{run_id}.part")
        self._cells = self._hidden / f"{self.path.stem}.tiles-{run_id[:8]}"
        self._open: dict[tuple[int, int], tuple[OutputRaster, int]] = {}
        self._done: list[tuple[int, int]] = []
        self._whole = False

    def __enter__(self) -> JoinedRaster:
        try:
            self._cells.mkdir(parents=True)
        except OSError as error:
            raise failed(self.path, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self.finish()
                self._publish()
            for cell, _ in self._open.values():
                cell.__exit__(kind, *rest)
        except OSError as error:
            raise failed(self.path, error) from error
        finally:
            shutil.rmtree(self._hidden, ignore_errors=True)

    def stored(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """As `OutputRaster.stored`."""
        array, missing = stored(self.encoding, values, valid)
        self.has_missing |= missing
        return array

    def put(self, window: Window, values: np.ndarray) -> None:
        """Write what `stored` gave into the window's cell; a cell that is full is finished."""
        row, col = int(window.row_off), int(window.col_off)
        key = row // CELL, col // CELL
        cell, left = self._open.get(key) or self._begun(key)
        # Whether a cell has nodata is told by its own values: none that is valid looks like it.
        fill = self.encoding.fill
        cell.has_missing |= bool((np.isnan(values) if fill != fill else values == fill).any())
        inside = Window(col - key[1] * CELL, row - key[0] * CELL, window.width, window.height)
        cell.put(inside, values)
        self._open[key] = cell, left - values[0].size
        if left == values[0].size:
            del self._open[key]
            cell.__exit__(None, None, None)
            self._done.append(key)

    def finish(self) -> None:
        """Complete all files under the hidden name."""
        if self._whole:
            return
        if self._open:
            raise ValueError(f"{len(self._open)} cells are not full")
        try:
            self._join()
        except Exception as error:  # rasterio hands GDAL's errors on under a dozen classes
            raise failed(self.path, error) from error
        self._whole = True

    def _begun(self, key: tuple[int, int]) -> tuple[OutputRaster, int]:
        """A new cell, and how many pixels it lacks."""
        grid = self._cut(key)
        place = str(self._cells / _name(key)), self._run_id, grid
        cell = OutputRaster(*place, self.spectral, self.encoding, self._tags, self._cloud)
        self._open[key] = cell.__enter__(), grid.height * grid.width
        return self._open[key]

    def _cut(self, key: tuple[int, int]) -> Grid:
        row, col = key[0] * CELL, key[1] * CELL
        size = min(CELL, self.grid.height - row), min(CELL, self.grid.width - col)
        return self.grid.cut(row, col, *size)

    def _join(self) -> None:
        """Write the VRT beside the cells, and read it back as far as its bands."""
        path = self._hidden / self.path.name
        ElementTree.ElementTree(self._document()).write(path, "utf-8")
        with rasterio.open(path, "r+") as dataset:
            write_spectral(dataset, self.spectral)
            dataset.scales = self.encoding.scales or (1.0,) * self.spectral.count
            dataset.offsets = self.encoding.offsets or (0.0,) * self.spectral.count
            dataset.update_tags(**self._tags)
        with rasterio.open(path) as dataset:
            if (dataset.count, *dataset.shape) != (self.spectral.count, *self.grid.shape):
                raise ValueError("the VRT is not whole")
        if self.has_missing and not self.encoding.fill_is_given:
            fill = float(self.encoding.fill)
            self.notes.append(f"Invalid pixels of {self.path.name} hold {fill:g}.")

    def _document(self) -> ElementTree.Element:
        size = {"rasterXSize": str(self.grid.width), "rasterYSize": str(self.grid.height)}
        root = ElementTree.Element("VRTDataset", size)
        if self.grid.crs:
            ElementTree.SubElement(root, "SRS").text = self.grid.crs.to_wkt()
        numbers = map(repr, map(float, self.grid.transform.to_gdal()))
        ElementTree.SubElement(root, "GeoTransform").text = ", ".join(numbers)
        needed = self.encoding.fill_is_given or self.has_missing
        for band in range(1, self.spectral.count + 1):
            kind = {"dataType": _TYPES[np.dtype(self.encoding.dtype).name], "band": str(band)}
            element = ElementTree.SubElement(root, "VRTRasterBand", kind)
            if needed:
                text = repr(self.encoding.fill.item())
                ElementTree.SubElement(element, "NoDataValue").text = text
            for key in sorted(self._done):
                element.append(self._source(key, band))
        return root

    def _source(self, key: tuple[int, int], band: int) -> ElementTree.Element:
        """A cell in a band; with its size told, a reader need not open it before it is wanted."""
        grid = self._cut(key)
        width, height = str(grid.width), str(grid.height)
        source = ElementTree.Element("SimpleSource")
        name = ElementTree.SubElement(source, "SourceFilename", {"relativeToVRT": "1"})
        name.text = f"{self._cells.name}/{_name(key)}"
        ElementTree.SubElement(source, "SourceBand").text = str(band)
        kind = {"DataType": _TYPES[np.dtype(self.encoding.dtype).name]}
        size = {"RasterXSize": width, "RasterYSize": height}
        block = {"BlockXSize": str(BLOCK), "BlockYSize": str(BLOCK)}
        ElementTree.SubElement(source, "SourceProperties", {**size, **kind, **block})
        span = {"xSize": width, "ySize": height}
        ElementTree.SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **span})
        place = {"xOff": str(key[1] * CELL), "yOff": str(key[0] * CELL)}
        ElementTree.SubElement(source, "DstRect", {**place, **span})
        return source

    def _publish(self) -> None:
        """Give folder and VRT their names, and remove what the VRT before this one was made of."""
        for suffix in (".aux.xml", ".ovr", ".msk"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        earlier = self._earlier()
        target = self.path.with_name(self._cells.name)
        if target.exists():
            os.replace(target, self._hidden / "earlier")
        os.replace(self._cells, target)
        os.replace(self._hidden / self.path.name, self.path)
        for folder in earlier - {target}:
            shutil.rmtree(folder, ignore_errors=True)

    def _earlier(self) -> set[Path]:
        """The folders of a VRT of ours that this one replaces."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                text = file.read(_HEAD)
        except OSError:
            return set()
        ours = re.escape(f"{self.path.stem}.tiles-") + "[0-9a-f]{8}"
        named = re.findall(f">({ours})/", text)
        return {self.path.with_name(name) for name in named}


def _name(key: tuple[int, int]) -> str:
    return f"r{key[0]:04d}c{key[1]:04d}.tif"
