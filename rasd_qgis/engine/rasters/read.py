"""Rasters: reading what the analyst chose, with what she overrode in QGIS.

A `Raster` is an open file seen as bands of measurements: its grid, its spectral information, and
windows of stored values (DN, before scale and offset) with a validity mask. Values travel as
float32: stored integers beyond 2^24 and float64 samples lose their last digits, which is noted.
Reading is by window and lazy; a scene may be larger than memory. An instance is for one thread.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ...contract.errors import InputError
from ...contract.request import RasterSource
from . import doors
from .encode import Encoding
from .grid import Grid
from .spectral import read_spectral
from .validity import SampleRules, dead_bands, is_mask

# Formats of bare samples: what is missing at their end, GDAL reads as zeros.
_BARE_DRIVERS = {"ENVI", "EHdr"}
# rasterio wraps most of GDAL's errors, but lets some through as they are.
GDAL_ERRORS = (RasterioError, CPLE_BaseError)
# Samples looked at to find dead bands: all of a small image, else windows spread over it.
_LOOK_WHOLE = 2**24
# A VRT may be made of thousands; these many are asked after at each read.
_FILES_WATCHED = 32
_LOOK_WINDOWS = 4
_LOOK_SIZE = 48
# More than any spectrometer has; statistics of bands by bands would outgrow a memory.
MOST_BANDS = 4096
_NARROW = ("float64", "int32", "uint32", "int64", "uint64")


class Raster:
    """An open raster; a context manager. Raises InputError for what cannot serve as an input.

    name: the layer's name, for sentences. count: bands, a mask band not counted.
    dtype: of the stored values. grid: where it lies. spectral: what its bands see.
    encoding: how values are stored: dtype, nodata, scale and offset a band.
    dead: (count,) bool, bands that hold no measurements. good: (count,) bool, bands neither
    dead nor flagged bad; pixels are valid where all good bands are.
    georeferenced: whether it has a geotransform. notes: sentences the analyst should hear.
    """

    def __init__(self, source: RasterSource) -> None:
        self.source = source
        self.name = source.name or Path(source.path).name or source.path
        self.notes: list[str] = []
        self._dataset = self._open(source.path)
        self._states = {name: _state(name) for name in self._dataset.files[:_FILES_WATCHED]}
        try:
            self._describe()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Raster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; twice does no harm."""
        self._dataset.close()

    def read(
        self, window: Window, bands: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Stored values (bands, h, w) float32 and validity (h, w) bool of a window inside.

        bands: indices from 0, default all. A pixel is valid where its good bands among those read
        are. Samples that are no measurements come back as 0, so every value is finite.
        """
        which = np.arange(self.count) if bands is None else np.asarray(bands, dtype=int)
        stored = self._stored([self.bands[i] for i in which], window)
        bad = self._rules.invalid(stored, which)
        deciding = self.good[which]
        valid = ~bad[deciding if deciding.any() else slice(None)].any(axis=0)
        valid &= self._mask(window)
        with np.errstate(over="ignore", invalid="ignore"):
            values = stored.astype(np.float32, copy=False)
        values[bad] = 0.0
        return values, valid

    def tags(self) -> dict[str, str]:
        """The file's own tags, of its usual domain, ENVI's and IMAGERY, names in lower case."""
        found: dict[str, str] = {}
        for domain in (None, "ENVI", "IMAGERY"):
            found.update(self._dataset.tags(ns=domain))
        return {name.lower(): value for name, value in found.items()}

    def look(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples of the whole raster, as `read` gives them: (bands, n), validity (n,).

        All of a small raster, else windows spread over it.
        """
        looks = [self.read(window) for window in self._look(self.count)]
        values = np.concatenate([values.reshape(self.count, -1) for values, _ in looks], axis=1)
        return values, np.concatenate([valid.ravel() for _, valid in looks])

    def _open(self, path: str) -> DatasetReader:
        if doors.leads_to_the_web(path):
            raise self._web()
        if doors.is_our_own_input(path) or path.lstrip().startswith("<"):
            raise InputError(
                f"The layer {self.name[:80]} is no file of its own.",
                "Save it as a GeoTIFF and choose that.",
            )
        try:
            with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
                dataset = rasterio.open(path)
        except (*GDAL_ERRORS, OSError, ValueError, TypeError) as error:
            raise InputError(
                f"The raster {self.name} cannot be opened ({_first_line(error)}).",
                "Check that the file is there, whole, and of a format GDAL reads; "
                "exporting it as GeoTIFF from QGIS often helps.",
            ) from error
        shut = dataset.driver in doors.WEB_DRIVERS
        if shut or any(map(doors.leads_to_the_web, dataset.files)):
            dataset.close()
            raise InputError(
                f"The raster {self.name} takes its pixels from the network.",
                "Save it as a GeoTIFF on this computer and choose that.",
            )
        return dataset

    def _web(self) -> InputError:
        return InputError(
            f"The layer {self.name} is a web service, not a file.",
            "Save it as a GeoTIFF on this computer and choose that.",
        )

    def _describe(self) -> None:
        """Fill the attributes from the open file."""
        dataset = self._dataset
        self._refuse_kind(dataset)
        self._refuse_short(dataset)
        self.dtype = np.result_type(*dataset.dtypes)
        self._alpha = self._find_alpha()
        self.bands = tuple(b for b in range(1, dataset.count + 1) if b != self._alpha)
        self.count = len(self.bands)
        self.grid = Grid(self._crs(), self._transform(), dataset.height, dataset.width)
        self.spectral = read_spectral(dataset, self.bands)
        self._rules = SampleRules(dataset.nodatavals, self.bands, self.source)
        scales = tuple(dataset.scales[b - 1] for b in self.bands)
        offsets = tuple(dataset.offsets[b - 1] for b in self.bands)
        self.encoding = Encoding(self.dtype.name, self._rules.common(), scales, offsets)
        if self.dtype.name in _NARROW:
            self.notes.append(
                f"{self.name} stores {self.dtype.name}; it is computed in float32, "
                "so only about 7 digits of a value count."
            )
        self._find_dead()

    def _refuse_kind(self, dataset: DatasetReader) -> None:
        """Raise InputError where the bands are no measurements on a map."""
        if dataset.count == 0:
            inside = ", ".join(dataset.subdatasets[:4])
            raise InputError(
                f"The file {self.name} holds no bands itself, but: {inside or 'nothing'}.",
                "Add the one you mean as a layer of its own.",
            )
        if ColorInterp.palette in dataset.colorinterp:
            raise InputError(
                f"The raster {self.name} is paletted: its values are colour numbers, "
                "not measurements.",
                "Use the original image, or convert it with 'PCT to RGB'.",
            )
        if any(kind.startswith("complex") for kind in dataset.dtypes):
            raise InputError(
                f"The raster {self.name} holds complex numbers.", "Use amplitudes or reflectances."
            )
        if dataset.transform.is_identity and dataset.gcps[0]:
            raise InputError(
                f"The raster {self.name} is placed by ground control points only.",
                "Warp it to a map grid first (Raster → Projections → Warp).",
            )
        if dataset.count > MOST_BANDS:
            raise InputError(
                f"The raster {self.name} has {dataset.count} bands; {MOST_BANDS} are the most.",
                "Choose the bands you need and save them as a raster of their own.",
            )
        if dataset.transform.is_degenerate or not np.isfinite(dataset.transform).all():
            raise InputError(
                f"The geotransform of {self.name} gives its pixels no area.",
                "Georeference the raster again.",
            )

    def _refuse_short(self, dataset: DatasetReader) -> None:
        """Raise InputError where a file of bare samples is shorter than its header says."""
        if dataset.driver not in _BARE_DRIVERS or not os.path.isfile(dataset.name):
            return
        if dataset.tags(ns="ENVI").get("file_compression", "0") != "0":
            return
        needed = dataset.height * dataset.width * sum(np.dtype(d).itemsize for d in dataset.dtypes)
        found = os.path.getsize(dataset.name)
        if found < needed:
            raise InputError(
                f"The raster {self.name} is truncated: its header promises {needed} bytes, "
                f"there are {found}.",
                "Copy or download it again.",
            )

    def _crs(self) -> CRS | None:
        if self.source.crs_wkt is None:
            return self._dataset.crs or None
        try:
            return CRS.from_user_input(self.source.crs_wkt)
        except CRSError as error:
            raise InputError(
                f"The CRS set for the layer {self.name} is not understood.",
                "Choose another one in the layer's properties.",
            ) from error

    def _transform(self) -> Affine:
        """The geotransform; where there is none, the one QGIS shows: a unit a pixel, downwards."""
        self.georeferenced = not self._dataset.transform.is_identity
        return self._dataset.transform if self.georeferenced else Affine.scale(1, -1)

    def _find_alpha(self) -> int | None:
        """The band that is a mask, or None; its number is noted for the analyst."""
        kinds = self._dataset.colorinterp
        if ColorInterp.alpha not in kinds or len(kinds) < 2:
            return None
        band = kinds.index(ColorInterp.alpha) + 1
        looks = [self._stored([band], window).ravel() for window in self._look(1)]
        if is_mask(np.concatenate(looks)):
            self.notes.append(f"Band {band} of {self.name} is alpha: used as a mask, and dropped.")
            return band
        self.notes.append(
            f"Band {band} of {self.name} is marked as alpha, but holds an image: taken as a band."
        )
        return None

    def _mask(self, window: Window) -> np.ndarray:
        """Validity by the file's alpha band or mask, (h, w) bool."""
        shape = int(window.height), int(window.width)
        if self._alpha is not None:
            return self._stored([self._alpha], window)[0] > 0
        flags = self._dataset.mask_flag_enums[0]
        if MaskFlags.per_dataset not in flags or MaskFlags.alpha in flags:
            return np.ones(shape, dtype=bool)
        try:
            return self._dataset.read_masks(1, window=window) > 0
        except GDAL_ERRORS as error:
            raise self._broken(window, error) from error

    def _stored(self, bands: list[int], window: Window) -> np.ndarray:
        """Values as they are stored, (bands, h, w) in `dtype`."""
        self._refuse_changed()
        read, how = self._dataset.read, {"window": window, "out_dtype": self.dtype}
        try:
            if len(set(self._dataset.dtypes)) > 1:  # rasterio reads bands of one dtype at a time
                return np.stack([read(band, **how) for band in bands])
            return read(bands, **how)
        except GDAL_ERRORS as error:
            raise self._broken(window, error) from error

    def _refuse_changed(self) -> None:
        """Raise InputError where somebody writes to the file: its pixels would be of two scenes.

        One that was deleted is read to its end where the system allows that.
        """
        for name, state in self._states.items():
            if state is not None and _state(name) not in (state, None):
                raise InputError(
                    f"The raster {self.name} was changed while it was being read.",
                    "Run it again once nothing writes to it any more.",
                )

    def _broken(self, window: Window, error: Exception) -> InputError:
        return InputError(
            f"The raster {self.name} cannot be read near row {int(window.row_off)}, column "
            f"{int(window.col_off)}: the file is truncated or damaged ({_first_line(error)}).",
            "Copy or download it again.",
        )

    def _look(self, bands: int) -> list[Window]:
        """Windows to judge the raster by; the last holds its last pixel, so truncation shows."""
        height, width = self._dataset.shape
        if height * width * bands <= _LOOK_WHOLE:
            return [Window(0, 0, width, height)]
        side = min(_LOOK_SIZE, math.isqrt(_LOOK_WHOLE // bands))
        tall, wide = min(side, height), min(side, width)
        rows = np.linspace(0, height - tall, _LOOK_WINDOWS).astype(int)
        cols = np.linspace(0, width - wide, _LOOK_WINDOWS).astype(int)
        return [Window(int(c), int(r), wide, tall) for r in rows for c in cols]

    def _find_dead(self) -> None:
        """Set `dead` and `good`, and note the dead bands."""
        which = np.arange(self.count)
        looks = []
        for window in self._look(self.count):
            bad = self._rules.invalid(self._stored(list(self.bands), window), which)
            looks.append(bad.reshape(self.count, -1))
        dead = dead_bands(np.concatenate(looks, axis=1))
        self.dead = np.zeros(self.count, dtype=bool) if dead is None else dead
        self.good = ~self.dead & np.array(self.spectral.good)
        if not self.good.any():
            self.good = ~self.dead
        if self.dead.any():
            self.notes.append(
                f"{int(self.dead.sum())} of {self.count} bands of {self.name} hold no data; "
                "they stay empty in the result."
            )


def same_file(first: str, second: str) -> bool:
    """Whether two names open the same raster."""
    try:
        return os.path.samefile(first, second)
    except (OSError, ValueError):  # of a name that no file could have
        return first == second


def _state(name: str) -> tuple[int, ...] | None:
    """What changes when a file is written to; None where it is no file, or QGIS's statistics."""
    if name.endswith(".aux.xml"):
        return None
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _first_line(error: BaseException) -> str:
    """What GDAL said; rasterio's own words for a failed read only point at it."""
    return str(error.__cause__ or error).strip().split("\n", 1)[0].rstrip(".")[:200]
