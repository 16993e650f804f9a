"""Formats: which GDAL driver writes a name, and whether it can hold what is to be written.

The analyst chooses a format by the extension, as everywhere in QGIS. Whether a driver takes this
many bands of this dtype is found out beforehand, by writing a few pixels with it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.drivers import raster_driver_extensions
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from ...contract.errors import OutputError
from .read import same_file
from .spectral import SpectralInfo, write_spectral

# Extensions that GDAL leaves open or gives to a rarer format than the one meant in this field.
_DRIVERS = {
    "tif": "GTiff", "tiff": "GTiff", "img": "HFA",
    "dat": "ENVI", "bsq": "ENVI", "bil": "ENVI", "bip": "ENVI", "envi": "ENVI",
}  # fmt: skip
# These change the values they are given, or draw them.
_LOSSY = {"JPEG", "WEBP", "GIF", "PDF", "KMLSUPEROVERLAY", "MBTiles", "BMP", "VRT", "MRF"}
_OPTIONS = {"HFA": {"COMPRESSED": "YES"}, "JP2OpenJPEG": {"QUALITY": "100", "REVERSIBLE": "YES"}}


def driver_of(path: str) -> str:
    """The GDAL driver for an output name; OutputError where its extension names none that fits."""
    extension = Path(path).suffix.lower().lstrip(".")
    driver = _DRIVERS.get(extension) or raster_driver_extensions().get(extension)
    if driver is None or driver in _LOSSY:
        problem = "is unknown" if driver is None else "would not keep the values as they are"
        raise OutputError(
            f"The format '.{extension}' of {Path(path).name} {problem}.",
            "Use .tif (GeoTIFF), .img (Erdas Imagine) or .bsq (ENVI).",
        )
    return driver


def copy_options(driver: str, path: str) -> dict[str, str]:
    """Creation options that keep every value."""
    if driver == "ENVI":
        order = Path(path).suffix.lower().lstrip(".")
        return {"INTERLEAVE": order if order in ("bil", "bip") else "bsq"}
    return _OPTIONS.get(driver, {})


def check_writable(
    path: str,
    inputs: Sequence[str] = (),
    count: int | None = None,
    dtype: str | None = None,
    driver: str | None = None,
    run_id: str = "",
) -> None:
    """Raise OutputError, before any work, where an output could not be written in the end.

    inputs: paths that must not be overwritten. count, dtype: of the output, where known. driver:
    of its files, where the name's extension does not tell it. run_id: marks what is tried there as
    the run's, so that it goes even where the run is killed meanwhile.
    """
    driver = driver or driver_of(path)
    with _scratch_beside(path, inputs, run_id) as folder:
        if count is not None and dtype is not None:
            _try_driver(driver, path, folder, count, dtype)


def check_folder(path: str, inputs: Sequence[str] = (), run_id: str = "") -> None:
    """Raise OutputError, before any work, where no file could be made under this name."""
    with _scratch_beside(path, inputs, run_id):
        pass


@contextlib.contextmanager
def _scratch_beside(path: str, inputs: Sequence[str], run_id: str = "") -> Iterator[str]:
    """A temporary folder beside an output; OutputError where there can be none."""
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"The output {path} is a folder.", "Give a file name in it.")
    if any(same_file(path, one) for one in inputs):
        raise OutputError(
            f"The output {target.name} is also an input of this run.", "Choose another name."
        )
    if not target.parent.is_dir():
        raise OutputError(f"The folder {target.parent} does not exist.", "Choose another one.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".rasd-{run_id}-", dir=target.parent) as folder:
            yield folder
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"The folder {target.parent} cannot be written ({error.strerror or error}).",
            "Choose another one, or free space and permissions there.",
        ) from error


def _try_driver(driver: str, path: str, folder: str, count: int, dtype: str) -> None:
    """Write a few pixels of the output's kind; OutputError where the driver does not take them."""
    first = os.path.join(folder, "first.tif")
    last = os.path.join(folder, "last" + Path(path).suffix)
    size = {"width": 4, "height": 4, "count": count, "dtype": dtype}
    place = rasterio.Affine(1, 0, 4, 0, -1, 4)
    wanted = np.ones((count, 4, 4), dtype=dtype)
    try:
        with rasterio.open(first, "w", driver="GTiff", transform=place, **size) as dataset:
            dataset.write(wanted)
        if driver != "GTiff":
            rasterio.shutil.copy(first, last, driver=driver, **copy_options(driver, path))
            with rasterio.open(last) as dataset:
                kept = dataset.count == count and (dataset.read() == wanted).all()
            if not kept:
                raise ValueError("bands or values changed")
    except Exception as error:  # each driver says no in a way of its own
        raise OutputError(
            f"The format {driver} of {Path(path).name} does not take {count} bands of {dtype} "
            f"({str(error)[:150]}).",
            "Use .tif (GeoTIFF).",
        ) from error


def convert(source: Path, target: Path, driver: str, spectral: SpectralInfo) -> list[Path]:
    """Copy a GeoTIFF into another format, alone in its folder; return all files it is made of.

    Raises where the copy does not hold the same values.
    """
    rasterio.shutil.copy(source, target, driver=driver, **copy_options(driver, target.name))
    _restore_metadata(target, driver, spectral)
    for header in target.parent.glob("*.hdr"):
        text = header.read_text("utf-8", errors="surrogateescape")
        header.write_text(text.replace(str(target), target.name), "utf-8", errors="surrogateescape")
    with rasterio.open(source) as wanted, rasterio.open(target) as copied:
        _compare(wanted, copied)
    return list(target.parent.iterdir())


def lay_out(source: Path, target: Path, options: Mapping[str, str | int | bool]) -> None:
    """Copy a GeoTIFF into another one of these options; raises where that holds other values."""
    rasterio.shutil.copy(source, target, driver="GTiff", **options)
    with rasterio.open(source) as wanted, rasterio.open(target) as copied:
        _compare(wanted, copied)


def _restore_metadata(target: Path, driver: str, spectral: SpectralInfo) -> None:
    """Write again what the copy dropped, where the format can be updated at all."""
    with contextlib.suppress(RasterioError), rasterio.open(target, "r+") as dataset:
        write_spectral(dataset, spectral)
        if driver == "ENVI":
            dataset.update_tags(ns="ENVI", **_envi_fields(spectral))


def _envi_fields(info: SpectralInfo) -> dict[str, str]:
    """Header fields that ENVI programs read, where they are known of every band."""
    fields = {"bbl": _braced(info.good)}
    if None not in info.wavelengths:
        fields.update(wavelength=_braced(info.wavelengths), wavelength_units="Nanometers")
    if None not in info.fwhm:
        fields["fwhm"] = _braced(info.fwhm)
    return fields


def _braced(values: Sequence[float | None]) -> str:
    return "{" + ", ".join(f"{value:.10g}" for value in values) + "}"


def _compare(wanted: DatasetReader, copied: DatasetReader) -> None:
    """Raise ValueError where a copy differs, as it does where the disk was full."""
    for _, window in wanted.block_windows(1):
        pair = wanted.read(window=window), copied.read(window=window)
        if not np.array_equal(*pair, equal_nan=True):
            raise ValueError("the copy does not hold the same values")
