"""The demo's files: a simulated pair as an analyst would receive it, and images read back.

Indian Pines is not georeferenced, so the pair is laid on a made-up but plausible place: 20 m pixels
in the scene's own UTM zone, north-west of West Lafayette.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from ..rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from . import indian_pines
from .indian_pines import Pair

Image = NDArray[np.float64]

CRS = "EPSG:32616"
LEFT, TOP = 497_000.0, 4_481_000.0
FINE_PIXEL = 20.0  # AVIRIS from 20 km


def write_pair(folder: Path, pair: Pair) -> None:
    """Write hyperspectral.tif, multispectral.tif and reference.tif as uint16 into the folder."""
    numbers = range(1, len(pair.wavelengths) + 1)
    spectrum = SpectralInfo(
        names=tuple(f"band {number}" for number in numbers),
        wavelengths=pair.wavelengths,
        fwhm=(indian_pines.FWHM_NM,) * len(pair.wavelengths),
        good=(True,) * len(pair.wavelengths),
    )
    guide = SpectralInfo(
        names=indian_pines.GUIDE_BANDS,
        wavelengths=pair.guide_wavelengths,
        fwhm=pair.guide_widths,
        good=(True,) * len(pair.guide_wavelengths),
    )
    coarse_pixel = FINE_PIXEL * indian_pines.RATIO
    write(folder / "hyperspectral.tif", pair.hyperspectral, coarse_pixel, spectrum)
    write(folder / "multispectral.tif", pair.multispectral, FINE_PIXEL, guide)
    write(folder / "reference.tif", pair.reference, FINE_PIXEL, spectrum)


def write(path: Path, image: Image, pixel: float, info: SpectralInfo) -> None:
    """Write whole counts, (bands, rows, columns) within 0..65535, with a CRS and wavelengths."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=image.shape[0],
        height=image.shape[1],
        width=image.shape[2],
        dtype="uint16",
        crs=CRS,
        transform=Affine(pixel, 0.0, LEFT, 0.0, -pixel, TOP),
        interleave="band",
        compress="deflate",
        predictor=2,
    ) as dataset:
        dataset.write(image.astype(np.uint16))
        dataset.update_tags(TIFFTAG_COPYRIGHT=indian_pines.ATTRIBUTION)
        write_spectral(dataset, info)


def read(path: Path) -> Image:
    """(bands, rows, columns) in the file's own numbers; NaN where it holds no data."""
    with rasterio.open(path) as dataset:
        return dataset.read(masked=True).astype(np.float64).filled(np.nan)
