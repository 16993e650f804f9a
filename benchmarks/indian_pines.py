"""The demo's scene: AVIRIS over Indian Pines, as the PyPI package tensorly carries it (CC BY 3.0).

The pair is simulated from it by Wald's protocol, without noise: what the fused image ought to be is
known at every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rasd_qgis.engine.rasters.spectral import SpectralInfo
from ..rasd_qgis.engine.sensors.response import from_curves, sensor_curves
from .degrade import apply_response, blur_and_decimate

Image = NDArray[np.float64]

ATTRIBUTION = (
    "Indian Pines: Baumgardner, M. F., Biehl, L. L., Landgrebe, D. A. (2015), 220 Band AVIRIS "
    "Hyperspectral Image Data Set: June 12, 1992 Indian Pine Test Site 3, Purdue University "
    "Research Repository, doi:10.4231/R7RX991C; CC BY 3.0, cut and degraded here."
)
SIDE = 144  # the upper left of 145 x 145: divisible by the ratio
RATIO = 4
GUIDE_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
# AVIRIS bands are about 10 nm wide, and about as far apart; tensorly names no width.
FWHM_NM = 10.0


@dataclass(frozen=True)
class Pair:
    """A simulated pair and its truth, in the sensor's counts; wavelengths and widths in nm."""

    hyperspectral: Image  # (200, 36, 36)
    multispectral: Image  # (10, 144, 144)
    reference: Image  # (200, 144, 144)
    wavelengths: tuple[float, ...]
    guide_wavelengths: tuple[float, ...]
    guide_widths: tuple[float, ...]


def load_pair() -> Pair:
    """Cut the scene, degrade it in space and in wavelength, round both to whole counts."""
    cube, wavelengths = load_scene()
    reference = cube[:, :SIDE, :SIDE]
    response = sentinel2_response(wavelengths)
    centres = response @ wavelengths
    variances = response @ wavelengths**2 - centres**2
    return Pair(
        hyperspectral=np.rint(blur_and_decimate(reference, RATIO)),
        multispectral=np.rint(apply_response(reference, response)),
        reference=reference,
        wavelengths=tuple(wavelengths.tolist()),
        guide_wavelengths=tuple(centres.round(1).tolist()),
        # The width of the box with the response's variance.
        guide_widths=tuple(np.sqrt(12.0 * variances).round(1).tolist()),
    )


def load_scene() -> tuple[Image, NDArray[np.float64]]:
    """(200, 145, 145) counts and the 200 wavelengths in nm, both as tensorly gives them.

    A few of its wavelengths stand out of order (where two spectrometers overlap, and near
    2.26 um); they are kept as published.
    """
    from tensorly.datasets import load_indian_pines

    data = load_indian_pines()
    cube = np.moveaxis(np.asarray(data.tensor, dtype=np.float64), 2, 0)
    return cube, np.asarray(data.ticks[1], dtype=np.float64)


def sentinel2_response(wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """(10, bands): Sentinel-2A's relative response sampled at `wavelengths` (nm); rows sum to 1."""
    count = len(wavelengths)
    unknown = (None,) * count
    info = SpectralInfo(("",) * count, tuple(wavelengths.tolist()), unknown, (True,) * count)
    curves, _ = sensor_curves("Sentinel-2A")
    good = np.ones(count, dtype=bool)
    return from_curves(curves, info, good, GUIDE_BANDS, insist=True).weights
