"""SFIM: smoothing filter-based intensity modulation, each band with a guide of its own.

Liu 2000 ("Smoothing filter-based intensity modulation: a spectral preserve image fusion technique
for improving spatial details"), in the form that Yokoya, Grohnfeldt and Chanussot 2017
("Hyperspectral and multispectral data fusion: a comparative review") give it for hyperspectral
images: the guide of a band is its regression on the multispectral ones (Selva et al. 2015).

    X_k = up(Y_k) * P_k / up(down(P_k))

Best settings: the smoothing filter is the pair's own PSF, as for MTF-GLP. Where a guide is close to
zero, or its ratio beyond `MOST`, the quotient tells nothing but noise, and is held.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..degrade import blur_and_decimate
from .cubic import upsample
from .hypersharpening import Kernel, regression

Image = NDArray[np.float64]

# Of a band's mean: less than this in the smoothed guide is no brightness to divide by.
LEAST = 0.05
MOST = 4.0


def fuse(hyperspectral: Image, multispectral: Image, ratio: int, kernel: Kernel = None) -> Image:
    """(B, h, w) and (b, h*ratio, w*ratio) to (B, h*ratio, w*ratio), in the first one's unit.

    kernel: the hyperspectral sensor's PSF, as `degrade.observation` takes it.
    """
    coarse = blur_and_decimate(multispectral, ratio, kernel)
    synthetic = regression(hyperspectral, coarse, ratio, kernel)
    guides = synthetic.guides(multispectral)
    smooth = synthetic.guides(upsample(coarse, ratio))
    floor = LEAST * np.abs(hyperspectral).mean(axis=(1, 2), keepdims=True)
    dark = smooth <= floor
    modulation = np.where(dark, 1.0, guides / np.where(dark, 1.0, smooth))
    return upsample(hyperspectral, ratio) * np.clip(modulation, 0.0, MOST)
