"""The closed-form estimate that the network starts from: hypersharpening by regression.

Every hyperspectral band gets its own sharp guide, a regression on the multispectral bands fitted at
the coarse scale, and of it the detail that the hyperspectral sensor did not see (MTF-GLP). After
Selva, Aiazzi, Butera, Chiarantini and Baronti, *Hyper-sharpening: a first approach on SIM-GA data*,
2015. Back-projections then return what the interpolation lost of the observed image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..sensors.observe import Observation

# More change little: 0.02 dB on the demo.
BACK_PROJECTIONS = 2
# Of a band's mean square: a variance that is rounding.
CONSTANT = 1e-10


def constant(samples: Tensor) -> Tensor:
    """(b,) which bands of (b, n) vary by no more than rounding; they tell nothing."""
    return samples.var(1, correction=0) <= CONSTANT * samples.square().mean(1)


def regression(guide: Tensor, bands: Tensor, ridge: float) -> Tensor:
    """Ridge-regression gains (b, B) of bands (B, n) on a guide's samples (b, n), beside a constant.

    ridge: in variances of a guide band; it shrinks gains that the samples do not bear out.
    """
    guide, bands = guide.double(), bands.double()
    spread = guide.std(1, correction=0).masked_fill(constant(guide), torch.inf)[:, None]
    unit = (guide - guide.mean(1, keepdim=True)) / spread
    gram = unit @ unit.T / unit.shape[1]
    gram.diagonal().add_(ridge)
    cross = unit @ (bands - bands.mean(1, keepdim=True)).T / unit.shape[1]
    return (torch.linalg.solve(gram, cross) / spread).float()


def detail(image: Tensor, look: Observation) -> Tensor:
    """What of an image (…, H, W) the hyperspectral sensor does not resolve."""
    return image - look.up(look.down(image))


def hypersharpen(coarse: Tensor, fine_detail: Tensor, gains: Tensor, look: Observation) -> Tensor:
    """Coarse (B, h, w) and the guide's detail (b, H, W) → (B, H, W), in the units of `coarse`.

    gains: (b, B) of `regression`.
    """
    estimate = look.up(coarse) + torch.einsum("bB,bhw->Bhw", gains, fine_detail)
    for _ in range(BACK_PROJECTIONS):
        estimate = estimate + look.up(coarse - look.down(estimate))
    return estimate
