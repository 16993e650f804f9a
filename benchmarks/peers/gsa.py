"""GSA: Gram-Schmidt adaptive component substitution, each band with a guide of its own.

Aiazzi, Baronti and Selva 2007 ("Improving component substitution pansharpening through
multivariate regression of MS + Pan data"), in the form that Yokoya, Grohnfeldt and Chanussot 2017
("Hyperspectral and multispectral data fusion: a comparative review") give it for hyperspectral
images: the guide of a band, P_k, is its regression on the multispectral ones (Selva et al. 2015),
and stands where the panchromatic image stood.

    X_k = up(Y_k) + g_k (P_k - I_k),   I_k = up(a_k . [Y, 1]),   g_k = cov(up(Y_k), I_k) / var(I_k)

a_k is the regression of P_k, as the hyperspectral sensor sees it, on the hyperspectral bands. There
are more of these than their few pixels could bear, so it is taken on their leading components.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..degrade import blur_and_decimate
from .cubic import upsample
from .hypersharpening import Kernel, regression
from .subspace import Subspace

Image = NDArray[np.float64]

# Without end: all that the pixels bear. Against ten, 0.1 to 1.5 dB better.
COMPONENTS = 1000


def fuse(hyperspectral: Image, multispectral: Image, ratio: int, kernel: Kernel = None) -> Image:
    """(B, h, w) and (b, h*ratio, w*ratio) to (B, h*ratio, w*ratio), in the first one's unit.

    kernel: the hyperspectral sensor's PSF, as `degrade.observation` takes it.
    """
    seen = blur_and_decimate(multispectral, ratio, kernel)
    synthetic = regression(hyperspectral, seen, ratio, kernel)
    fine = upsample(intensities(hyperspectral, synthetic.guides(seen)), ratio)
    upsampled = upsample(hyperspectral, ratio)
    gains = _gains(upsampled, fine)
    return upsampled + gains[:, None, None] * (synthetic.guides(multispectral) - fine)


def intensities(hyperspectral: Image, guides: Image) -> Image:
    """The part of coarse guides, (B, h, w), that the hyperspectral bands can tell."""
    space = Subspace.of(hyperspectral, COMPONENTS)
    components = space.components(hyperspectral).reshape(space.size, -1)
    design = np.vstack([components, np.ones(components.shape[1])])
    wanted = guides.reshape(len(guides), -1)
    weights, *_ = np.linalg.lstsq(design.T, wanted.T, rcond=None)
    return (weights.T @ design).reshape(guides.shape)


def _gains(bands: Image, intensity: Image) -> NDArray[np.float64]:
    """cov(band, intensity) / var(intensity) of each band, (B,); 1 where nothing varies."""
    bands = bands - bands.mean(axis=(1, 2), keepdims=True)
    intensity = intensity - intensity.mean(axis=(1, 2), keepdims=True)
    variance = np.mean(intensity**2, axis=(1, 2))
    covariance = np.mean(bands * intensity, axis=(1, 2))
    some = variance > 0
    return np.where(some, covariance / np.where(some, variance, 1.0), 1.0)
