"""Output rasters: windows of results in, one finished file out, or none.

An `OutputRaster` is written under a hidden name beside its target and takes its final name only
when it is complete and was read back; after an error or a cancel nothing of it is left.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from ...contract.errors import OutputError
from . import durable
from .encode import Encoding, stored
from .formats import convert, driver_of, lay_out
from .grid import Grid
from .spectral import SpectralInfo, write_spectral

# Side of a block in the file; windows that start and end on multiples of it are written once.
BLOCK = 256
# Of deflate. On spectra, level 6 takes twice the time and its files are 1 to 3 % larger (GDAL's
# libdeflate; demo, NEON and guides alike).
LEVEL = 1
# Side files of an earlier raster under the same name, which would describe the new one wrongly.
_STALE = (".aux.xml", ".ovr", ".msk")


class OutputRaster:
    """A raster in the making; a context manager. OutputError where it cannot be written.

    path: final name; its extension gives the format. run_id: names the temporary file,
    `.<stem>.rasd-<run_id>.part.tif` beside it. grid: its size and place. spectral: its bands.
    encoding: how it stores values. tags: on the file. cloud: lay a GeoTIFF out for reading over a
    network (COG): its directories first, then overviews, then the image.

    has_missing: whether any pixel so far is nodata. Where the encoding has no nodata, one is chosen
    and recorded only if it was needed; `notes` then says so, after the file is finished.
    """

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
        self.driver = driver_of(path)
        self.grid, self.spectral, self.encoding = grid, spectral, encoding
        self.notes: list[str] = []
        self._tags = dict(tags or {})
        self._cloud = cloud and self.driver == "GTiff"
        self.has_missing = False
        self._names: Mapping[Path, Path] = {}
        self._prefix = f".{self.path.stem}.rasd-{run_id}.part"
        self._part = self.path.with_name(self._prefix + ".tif")
        self._folder = self.path.with_name(self._prefix)

    def __enter__(self) -> OutputRaster:
        # rasterio hands GDAL's errors on under a dozen unrelated classes, here and below.
        try:
            self._dataset = self._create()
            self._describe()
        except Exception as error:
            self._remove()
            raise failed(self.path, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._dataset.close()
            if kind is None:
                self.finish()
                self._publish()
        except Exception as error:
            if kind is None:
                raise failed(self.path, error) from error
        finally:
            self._remove()

    def finish(self) -> None:
        """Complete the file under its temporary name; the end of the context only renames it."""
        if self._names:
            return
        try:
            self._dataset.close()
            self._names = self._completed()
        except Exception as error:
            raise failed(self.path, error) from error

    @property
    def nodata(self) -> float | None:
        """The nodata value of the file so far; None while none is needed."""
        needed = self.encoding.fill_is_given or self.has_missing
        return float(self.encoding.fill) if needed else None

    def write(self, window: Window, values: np.ndarray, valid: np.ndarray) -> None:
        """Write values (bands, h, w) float, in DN, nodata where `valid` (h, w) is False.

        A NaN in a valid pixel is nodata in its band alone, as in a band without data.
        """
        self.put(window, self.stored(values, valid))

    def stored(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """What the file is to hold of such values."""
        if values.shape != (self.spectral.count, *valid.shape):
            raise ValueError(f"{values.shape} do not fill {self.spectral.count} × {valid.shape}")
        array, missing = stored(self.encoding, values, valid)
        self.has_missing |= missing
        return array

    def put(self, window: Window, values: np.ndarray) -> None:
        """Write what `stored` gave."""
        if values.shape[1:] != (int(window.height), int(window.width)):
            raise ValueError(f"{values.shape} do not fill {window}")
        try:
            self._dataset.write(values, window=window)
        except Exception as error:
            raise failed(self.path, error) from error

    def _create(self) -> DatasetWriter:
        """The temporary GeoTIFF; a band lies together, as QGIS shows three of hundreds."""
        # What is copied once more is compressed then.
        final = self.driver == "GTiff" and not self._cloud
        return rasterio.open(
            self._part,
            "w",
            driver="GTiff",
            height=self.grid.height,
            width=self.grid.width,
            count=self.spectral.count,
            dtype=self.encoding.dtype,
            crs=self.grid.crs,
            transform=self.grid.transform,
            nodata=float(self.encoding.fill) if self.encoding.fill_is_given else None,
            photometric="minisblack",
            alpha="no",
            **self._layout(final),
        )

    def _layout(self, compressed: bool) -> dict[str, str | int | bool]:
        """Creation options of a GeoTIFF."""
        side = min(BLOCK, 16 * math.ceil(max(self.grid.shape) / 16))
        options: dict[str, str | int | bool] = {"compress": "none"}
        if compressed:
            predictor = 3 if np.dtype(self.encoding.dtype).kind == "f" else 2
            options = {"compress": "deflate", "zlevel": LEVEL, "predictor": predictor}
        return {
            "tiled": True,
            "blockxsize": side,
            "blockysize": side,
            "interleave": "band",
            "bigtiff": "if_safer",
            "num_threads": "all_cpus",
            **options,
        }

    def _describe(self) -> None:
        """Metadata go in before the pixels, so that the file's directory stays at its front."""
        write_spectral(self._dataset, self.spectral)
        scales, offsets = self.encoding.scales, self.encoding.offsets
        if any(scale != 1 for scale in scales) or any(offset != 0 for offset in offsets):
            self._dataset.scales, self._dataset.offsets = scales, offsets
        self._dataset.update_tags(**self._tags)

    def _completed(self) -> Mapping[Path, Path]:
        """Add the nodata found to be needed and overviews, convert; the parts' final names."""
        how = {"BIGTIFF_OVERVIEW": "IF_SAFER", "ZLEVEL_OVERVIEW": LEVEL}
        with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", **how):
            with rasterio.open(self._part, "r+") as dataset:
                if self.nodata is not None and not self.encoding.fill_is_given:
                    dataset.nodata = self.nodata
                    self.notes.append(f"Invalid pixels of {self.path.name} hold {self.nodata:g}.")
                factors = _overviews(self.grid) if self.driver == "GTiff" else []
                if factors:
                    dataset.build_overviews(factors, Resampling.average)
            if self.driver == "GTiff" and not self._cloud:
                _read_back(self._part)
                return {self._part: self.path}
            self._folder.mkdir()
            target = self._folder / self.path.name
            if self._cloud:
                lay_out(self._part, target, {**self._layout(True), "copy_src_overviews": True})
                return {target: self.path}
            made = convert(self._part, target, self.driver, self.spectral)
            return {part: self.path.with_name(part.name) for part in made}

    def _publish(self) -> None:
        """Give all parts their final names, the raster itself last."""
        for suffix in _STALE:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        for part, final in sorted(self._names.items(), key=lambda item: item[1] == self.path):
            durable.replace(part, final)

    def _remove(self) -> None:
        """Take away what is left of the temporary files."""
        for part in self.path.parent.glob(self._part.name + "*"):
            part.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def failed(path: Path, error: Exception) -> Exception:
    """What to raise for an error of GDAL's or of the system's in writing an output."""
    if isinstance(error, (OutputError, MemoryError)):
        return error
    return OutputError(
        f"The output {path.name} could not be written ({str(error)[:200]}).",
        "Check the free space and permissions of its folder, and that no program, "
        "QGIS included, holds an older file of that name open.",
    )


def _overviews(grid: Grid) -> list[int]:
    """Factors 2, 4, 8 … until the smallest overview fits a block."""
    factors: list[int] = []
    while max(grid.shape) / (factors[-1] if factors else 1) > BLOCK:
        factors.append(2 * factors[-1] if factors else 2)
    return factors


def _read_back(path: Path) -> None:
    """Raise where a block did not reach the disk: GDAL closes a file on a full disk in silence.

    Building overviews has read the image itself, so where there are some they are what is left.
    """
    with rasterio.open(path) as dataset:
        levels = range(len(dataset.overviews(1)))
    for level in levels or [None]:
        options = {} if level is None else {"overview_level": level}
        with rasterio.open(path, **options) as dataset:
            for _, window in dataset.block_windows(1):
                dataset.read(window=window)
