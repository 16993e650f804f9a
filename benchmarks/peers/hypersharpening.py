"""Synthetic guides: for each hyperspectral band, what the multispectral bands best tell of it.

Selva, Aiazzi, Butera, Chiarantini and Baronti 2015 ("Hyper-sharpening: a first approach on SIM-GA
data"): the regression of the band on all multispectral bands at the coarse scale, evaluated at the
fine one. MTF-GLP, GSA and SFIM all sharpen with these guides.

Best settings: two real sensors agree less on detail than on the coarse image, so a plain regression
injects what is not there. Each band's regression therefore has a ridge, of those in `RIDGES` the
one whose detail was nearest to the band's own, one scale down. Against no ridge that is worth
0.1 dB (simulated pairs) to 0.6 dB (real ones) to MTF-GLP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from ..degrade import blur_and_decimate
from .cubic import upsample

Image = NDArray[np.float64]
Kernel = Optional[NDArray[np.float64]]

# In variances of a multispectral band.
RIDGES = (0.0, *10.0 ** np.arange(-5, 1.01, 0.5))


@dataclass(frozen=True)
class Regression:
    """Of B bands on b guide bands. weights: (B, b); guide_mean: (b, 1, 1); mean: (B, 1, 1)."""

    weights: NDArray[np.float64]
    guide_mean: Image
    mean: Image

    def guides(self, guide: Image) -> Image:
        """Multispectral bands (b, H, W) to a synthetic guide a band, (B, H, W)."""
        return self.details(guide - self.guide_mean) + self.mean

    def details(self, difference: Image) -> Image:
        """A difference of multispectral bands (b, H, W) as the synthetic guides tell it."""
        return np.asarray(np.tensordot(self.weights, difference, axes=1))


def regression(
    hyperspectral: Image, coarse: Image, ratio: int, kernel: Kernel = None
) -> Regression:
    """Of the hyperspectral bands (B, h, w) on the multispectral ones as their sensor sees them.

    coarse: (b, h, w), those; ratio: of the pair.
    kernel: the hyperspectral sensor's PSF, as `degrade.observation` takes it.
    """
    weights = _best_weights(hyperspectral, coarse, ratio, kernel)
    return Regression(weights, _means(coarse), _means(hyperspectral))


def lost_detail(image: Image, ratio: int, kernel: Kernel = None) -> Image:
    """What of an image (…, h, w) interpolation does not bring back one scale down.

    By the ratio, or by 2 where too few pixels were left; all of the image, where even so.
    Sides are cut to what the ratio divides.
    """
    reduced = next((q for q in (ratio, 2) if min(image.shape[1:]) // q >= 2), None)
    if reduced is None:
        return image - _means(image)
    height, width = (side // reduced * reduced for side in image.shape[1:])
    image = image[:, :height, :width]
    seen = blur_and_decimate(image, reduced, kernel if reduced == ratio else None)
    return image - upsample(seen, reduced)


def _best_weights(bands: Image, guide: Image, ratio: int, kernel: Kernel) -> NDArray[np.float64]:
    """(B, b) weights of coarse guide bands (b, h, w) for coarse bands (B, h, w)."""
    tried = np.array(list(_ridge_weights(bands, guide)))
    wanted, given = (lost_detail(image, ratio, kernel) for image in (bands, guide))
    miss = [np.mean((wanted - np.tensordot(w, given, 1)) ** 2, axis=(1, 2)) for w in tried]
    return tried[np.argmin(miss, axis=0), np.arange(len(bands))]


def _ridge_weights(bands: Image, guide: Image) -> Iterator[NDArray[np.float64]]:
    """(B, b) for each of the ridges."""
    centred = (guide - _means(guide)).reshape(len(guide), -1)
    spread = centred.std(axis=1)
    spread = np.where(spread > 0, spread, 1.0)
    wanted = (bands - _means(bands)).reshape(len(bands), -1)
    left, values, right = np.linalg.svd(centred / spread[:, None], full_matrices=False)
    projected = wanted @ right.T
    pixels = centred.shape[1]
    # What is no more than rounding of the greatest is no direction of the guide.
    some = values > 1e-10 * values[0]
    for ridge in RIDGES:
        inverse = np.where(some, values / np.where(some, values**2 + ridge * pixels, 1.0), 0.0)
        yield (projected * inverse) @ left.T / spread


def _means(image: Image) -> Image:
    """(b, 1, 1)."""
    return image.mean(axis=(1, 2), keepdims=True)
