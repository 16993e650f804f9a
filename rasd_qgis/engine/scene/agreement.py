"""Agreement: how far the hyperspectral image explains the guide, and the PSF at which it does best.

Seen through the hyperspectral sensor, the guide is a mixture of the hyperspectral bands and little
else. Through a narrower or a wider PSF than the sensor's it has details of its own, or lacks some,
so a pair tells its PSF (as in HySure: Simoes, Bioucas-Dias, Almeida and Chanussot, 2015), relative
to the guide's own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..rasters.view import PairView
from ..sensors.observe import DEFAULT_SIGMA, centred
from .estimate import constant
from .survey import View, views

# Components that explain the guide: at most so many, and so many pixels to each of them.
COMPONENTS, PIXELS = 20, 4
# Of the strongest component's power: below it a component is rounding.
LEAST_POWER = 1e-10
# Of a guide band's variance: the least misfit.
LEAST_MISFIT = 1e-6
# A variance where nothing varies at all.
NOTHING = 1e-30
# Standard deviations, in coarse pixels, of which so many are tried, then as many around the best;
# four blocks tell which that is.
NARROWEST, WIDEST, TRIED, ROUNDS = 0.2, 0.8, 9, 2
BLOCKS = 4
# Coarse pixels to the guide's end, nearer to which much of what the sensor sees is not shown.
MARGIN = 1.0
# How far, as a standard deviation of the logarithm, sensors lie from the usual; and what a pixel
# counts against that. Two real sensors' misfit is no noise: counting ten times as much, NEON plots
# of 64 pixels gave anything from 0.36 to 0.60, 16 of them side by side 0.35.
USUAL, PIXEL = 0.3, 0.05


def explaining(bands: Tensor) -> Tensor:
    """Orthonormal (k, n): a constant, and the principal components of standardised (B, n)."""
    pixels = bands.shape[1]
    centred = bands - bands.mean(1, keepdim=True)
    scaled = centred / centred.square().mean(1, keepdim=True).sqrt().clamp_min(NOTHING)
    powers, vectors = (part.flip(-1) for part in torch.linalg.eigh(scaled @ scaled.T / pixels))
    felt = int((powers > LEAST_POWER * powers[:1].clamp_min(NOTHING)).sum())
    count = min(COMPONENTS, pixels // PIXELS, felt)
    components = vectors[:, :count].T @ scaled
    components /= components.square().sum(1, keepdim=True).sqrt()
    return torch.cat((torch.full_like(bands[:1], pixels**-0.5), components))


def estimated_sigma(pair: PairView) -> float:
    """The standard deviation of a pair's PSF in coarse pixels, 0.2…0.8; the usual where nothing
    tells. In thousandths, so that rounding on the way changes nothing.
    """
    sigmas = np.geomspace(NARROWEST, WIDEST, TRIED)
    for _ in range(ROUNDS):
        misfits = _misfits(pair, sigmas) + (np.log(sigmas / DEFAULT_SIGMA) / USUAL) ** 2
        best = _lowest(np.log(sigmas), misfits)
        at = min(max(int(misfits.argmin()), 1), TRIED - 2)
        sigmas = np.geomspace(sigmas[at - 1], sigmas[at + 1], TRIED)
    return round(float(np.exp(best)), 3)


def _misfits(pair: PairView, sigmas: np.ndarray) -> np.ndarray:
    """(S,): how badly the hyperspectral image explains the guide, seen through each PSF."""
    good = torch.from_numpy(pair.hs.good)
    shown = [_through_all(view, sigmas) for view in views(pair, WIDEST, BLOCKS)]
    bands = torch.cat([image[good] for image, _ in shown], 1).double() if shown else torch.empty(0)
    if not bands.numel():
        return np.zeros(len(sigmas))
    guides = torch.cat([guide for _, guide in shown], 2).double()
    known = explaining(bands)
    return PIXEL * bands.shape[1] * np.array([_unexplained(guide, known) for guide in guides])


def _through_all(view: View, sigmas: np.ndarray) -> tuple[Tensor, Tensor]:
    """Its pixels (B, n), and its guide through every PSF, (S, b, n), where all of them see it."""
    blocks = [view.through(float(sigma)) for sigma in sigmas]
    valid = torch.stack([block.valid for block in blocks]).all(0)
    (height, width), fine = valid.shape, view.guide_valid.shape
    valid &= centred(view.rows, height, fine[0], MARGIN)[:, None]
    valid &= centred(view.cols, width, fine[1], MARGIN)
    return view.bands[:, valid], torch.stack([block.guide[:, valid] for block in blocks])


def _unexplained(guide: Tensor, known: Tensor) -> float:
    """The log of Wilks' lambda: of all variance of (b, n), the share outside orthonormal (k, n)."""
    guide = guide[~constant(guide)]
    pixels = guide.shape[1]
    varied = guide - guide.mean(1, keepdim=True)
    misfit = guide - (guide @ known.T) @ known
    whole = varied @ varied.T / pixels
    left = misfit @ misfit.T / max(pixels - len(known), 1)
    floor = torch.diag(LEAST_MISFIT * whole.diagonal())
    return float(torch.logdet(left + floor) - torch.logdet(whole + floor))


def _lowest(places: np.ndarray, values: np.ndarray) -> float:
    """Where values at even places are lowest: a parabola through the lowest and its neighbours."""
    at = int(values.argmin())
    if at in (0, len(values) - 1):
        return float(places[at])
    before, here, after = values[at - 1 : at + 2]
    step = 0.5 * (before - after) / (before - 2 * here + after)
    return float(places[at] + step * (places[1] - places[0]))
