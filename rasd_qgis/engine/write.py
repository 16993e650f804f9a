"""Output rasters: windows of results in, one finished file out, or none.

An `OutputRaster` is written under a hidden name beside its target and takes its final name only
when it is complete; after an error or a cancel nothing of it is left. Values are rounded and
clipped to the stored dtype, and no valid value ever lands on nodata.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ..contract.errors import OutputError
from .formats import copy_options, driver_of
from .grid import Grid
from .spectral import SpectralInfo, write_spectral
from .validity import storable

# Side of a block in the file; windows that start and end on multiples of it are written once.
BLOCK = 256
# Side files of an earlier raster under the same name, which would describe the new one wrongly.
_STALE = (".aux.xml", ".ovr", ".msk")


class OutputRaster:
    """A raster in the making; a context manager. OutputError where it cannot be written.

    path: final name, its extension gives the format. run_id: names the temporary file
    `.<stem>.rasd-<run_id>.part.tif` beside it. nodata: None lets one be chosen (NaN for floats,
    the least value for signed and the greatest for unsigned integers), which is recorded only
    if an invalid pixel was written. scales, offsets: per band; () for none. tags: on the file.
    """

    def __init__(
        self,
        path: str,
        run_id: str,
        grid: Grid,
        dtype: str | np.dtype,
        nodata: float | None,
        spectral: SpectralInfo,
        scales: Sequence[float] = (),
        offsets: Sequence[float] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.driver = driver_of(path)
        self.grid, self.dtype, self.spectral = grid, np.dtype(dtype), spectral
        self.fill = _fill_value(nodata, self.dtype)
        self.nodata_was_chosen = nodata is None or not _same(self.fill, nodata)
        self._has_invalid = False
        self._prefix = f".{self.path.stem}.rasd-{run_id}.part"
        self._part = self.path.with_name(self._prefix + ".tif")
        self._scales, self._offsets, self._tags = scales, offsets, dict(tags or {})
        self._limits = _limits(self.dtype)

    def __enter__(self) -> OutputRaster:
        try:
            self._dataset = self._create()
            self._describe()
        except (RasterioError, OSError) as error:
            self._remove()
            raise self._failed(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._dataset.close()
            if kind is None:
                self._finish()
        except (RasterioError, OSError) as error:
            raise error if isinstance(error, OutputError) else self._failed(error) from error
        finally:
            self._remove()

    @property
    def nodata(self) -> float | None:
        """The nodata value of the file so far; None while none is needed."""
        return float(self.fill) if self._has_invalid or not self.nodata_was_chosen else None

    def write(self, window: Window, values: np.ndarray, valid: np.ndarray) -> None:
        """Write values (bands, h, w) float, in DN, nodata where `valid` (h, w) is False.

        A NaN in a valid pixel is nodata in its band alone, as in a band without data.
        """
        missing = ~valid | np.isnan(values)
        self._has_invalid |= bool(missing.any())
        try:
            self._dataset.write(self._stored(values, missing), window=window)
        except RasterioError as error:
            raise self._failed(error) from error

    def _stored(self, values: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Values as the file holds them: rounded, clipped, off the nodata value."""
        low, high = self._limits
        if self.dtype.kind == "f":
            stored = np.clip(values, low, high).astype(self.dtype)
            if not np.isnan(self.fill):
                stored[stored == self.fill] = np.nextafter(self.fill, self.dtype.type(0))
        else:
            exact = values if self.dtype.itemsize < 4 else values.astype(np.float64)
            exact = np.where(missing, low, np.rint(exact))
            stored = np.clip(exact, low, high).astype(self.dtype)
            step = -1 if self.fill == np.iinfo(self.dtype).max else 1
            stored[stored == self.fill] += self.dtype.type(abs(step)) if step > 0 else 0
            if step < 0:
                stored[stored == self.fill] -= self.dtype.type(1)
        stored[missing] = self.fill
        return stored

    def _create(self) -> rasterio.io.DatasetWriter:
        side = min(BLOCK, 16 * math.ceil(max(self.grid.shape) / 16))
        options = {"compress": "none"}
        if self.driver == "GTiff":
            predictor = 3 if self.dtype.kind == "f" else 2
            options = {"compress": "deflate", "zlevel": 6, "predictor": predictor}
        return rasterio.open(
            self._part,
            "w",
            driver="GTiff",
            height=self.grid.height,
            width=self.grid.width,
            count=self.spectral.count,
            dtype=self.dtype.name,
            crs=self.grid.crs,
            transform=self.grid.transform,
            nodata=None if self.nodata_was_chosen else float(self.fill),
            tiled=True,
            blockxsize=side,
            blockysize=side,
            interleave="band",
            photometric="minisblack",
            alpha="no",
            bigtiff="if_safer",
            num_threads="all_cpus",
            **options,
        )

    def _describe(self) -> None:
        """Metadata go in before the pixels, so that the file's directory stays at its front."""
        _describe(self._dataset, self.spectral, self._scales, self._offsets, self._tags)

    def _finish(self) -> None:
        """Overviews, the nodata found to be needed, the final format, the final name."""
        with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", BIGTIFF_OVERVIEW="IF_SAFER"):
            with rasterio.open(self._part, "r+") as dataset:
                if self.nodata_was_chosen and self._has_invalid:
                    dataset.nodata = float(self.fill)
                if self.driver == "GTiff" and (factors := _overviews(self.grid)):
                    dataset.build_overviews(factors, Resampling.average)
            if self.driver != "GTiff":
                self._convert()
        self._rename()

    def _convert(self) -> None:
        """Copy the GeoTIFF into the format asked for, which then stands in its place."""
        target = self.path.with_name(self._prefix + self.path.suffix)
        options = copy_options(self.driver, str(self.path))
        rasterio.shutil.copy(self._part, target, driver=self.driver, **options)
        self._part.unlink()
        self._part = target
        self._restore_metadata(target)
        for header in target.parent.glob(f"{self._prefix}*.hdr"):
            text = header.read_text("utf-8", errors="surrogateescape")
            plain = text.replace(str(target), self.path.name)
            header.write_text(plain, "utf-8", errors="surrogateescape")

    def _restore_metadata(self, target: Path) -> None:
        """Write again what the copy dropped, where the format can be updated at all."""
        try:
            with rasterio.open(target, "r+") as dataset:
                _describe(dataset, self.spectral, (), (), {})
                if self.driver == "ENVI":
                    dataset.update_tags(ns="ENVI", **_envi_fields(self.spectral))
        except RasterioError:
            return

    def _rename(self) -> None:
        """Give all parts their final names, the raster itself last."""
        parts = [part for part in self._parts() if part != self._part]
        for suffix in _STALE:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        for part in [*parts, self._part]:
            os.replace(part, part.with_name(self.path.stem + part.name[len(self._prefix) :]))

    def _parts(self) -> list[Path]:
        """Every file of this run's beside the target."""
        folder = self.path.parent
        return [folder / name for name in os.listdir(folder) if name.startswith(self._prefix)]

    def _remove(self) -> None:
        for part in self._parts():
            part.unlink(missing_ok=True)

    def _failed(self, error: BaseException) -> OutputError:
        return OutputError(
            f"The output {self.path.name} could not be written ({str(error)[:200]}).",
            "Check the free space and permissions of its folder, and that no program, "
            "QGIS included, holds an older file of that name open.",
        )


def _describe(
    dataset: rasterio.io.DatasetWriter,
    spectral: SpectralInfo,
    scales: Sequence[float],
    offsets: Sequence[float],
    tags: Mapping[str, str],
) -> None:
    write_spectral(dataset, spectral)
    if any(scale != 1 for scale in scales) or any(offset != 0 for offset in offsets):
        dataset.scales, dataset.offsets = tuple(scales), tuple(offsets)
    dataset.update_tags(**tags)


def _envi_fields(info: SpectralInfo) -> dict[str, str]:
    """Header fields that ENVI programs read, for bands whose wavelengths are all known."""
    fields = {"bbl": _braced(int(good) for good in info.good)}
    if None not in info.wavelengths:
        fields["wavelength"] = _braced(info.wavelengths)
        fields["wavelength_units"] = "Nanometers"
    if None not in info.fwhm:
        fields["fwhm"] = _braced(info.fwhm)
    return fields


def _braced(values: Sequence[float]) -> str:
    return "{" + ", ".join(f"{value:.10g}" for value in values) + "}"


def _fill_value(nodata: float | None, dtype: np.dtype) -> np.generic:
    """The value of invalid pixels: the nodata given, if the dtype can hold it, else a usual one."""
    if nodata is not None and np.isnan(nodata) and dtype.kind == "f":
        return dtype.type(np.nan)
    stored = storable(nodata, dtype)
    if stored is not None:
        return stored
    if dtype.kind == "f":
        return dtype.type(np.nan)
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if dtype.kind == "i" else limits.max)


def _same(fill: np.generic, nodata: float) -> bool:
    """Whether `fill` is the nodata value asked for, at the dtype's precision."""
    return bool(np.isnan(fill) and np.isnan(nodata)) or storable(nodata, fill.dtype) == fill


def _limits(dtype: np.dtype) -> tuple[float, float]:
    """The least and greatest float64 that the dtype holds."""
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    limits = np.iinfo(dtype)
    high = float(limits.max)
    return float(limits.min), high if int(high) <= limits.max else math.nextafter(high, 0.0)


def _overviews(grid: Grid) -> list[int]:
    """Factors 2, 4, 8 … until the smallest overview fits a block."""
    factors = []
    while max(grid.shape) / (factors[-1] if factors else 1) > BLOCK:
        factors.append(2 * factors[-1] if factors else 2)
    return factors
