"""Structure: SSIM and UIQI, which compare an image with its reference by windows.

Both see the two images through one window, a Gaussian of 11 × 11 pixels (σ = 1.5), as scikit-image
and torchmetrics do, at every place where it lies wholly on valid pixels of the image:

    UIQI = 2 μ_f μ_r / (μ_f² + μ_r²) · 2 σ_fr / (σ_f² + σ_r²)            Wang and Bovik 2002
    SSIM = the same with C₁ and C₂ added to all four terms                Wang et al. 2004

C₁ = (0.01 L)², C₂ = (0.03 L)², L the peak. A ratio of zeros in UIQI, as between two constant
windows, counts as 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Pixels beyond its centre that the window reaches.
MARGIN = 5
SIGMA = 1.5
K1, K2 = 0.01, 0.03
# Bands worked on at once; bounds the temporaries to a few times their window.
BANDS_AT_ONCE = 8
# A variance below this share of the squared mean is rounding of float64.
_ROUNDING = 1e-13


class Structure:
    """Sums of SSIM and UIQI by band; `add` windows in any order.

    peaks: (bands,) L of each; SSIM is None where it is not positive, or no window was whole.
    """

    def __init__(self, peaks: Tensor) -> None:
        self._peaks = peaks.double()
        self._ssim = torch.zeros(len(peaks), dtype=torch.float64)
        self._uiqi = torch.zeros(len(peaks), dtype=torch.float64)
        self.places = 0

    def add(self, fused: Tensor, reference: Tensor, valid: Tensor) -> None:
        """Count the windows that lie wholly inside these images (bands, h, w) and `valid` (h, w).

        So neighbouring pieces of an image must overlap by 2 MARGIN pixels.
        """
        side = 2 * MARGIN + 1
        if min(valid.shape) < side:
            return
        whole = F.max_pool2d((~valid)[None].double(), side, 1)[0] == 0
        self.places += int(whole.sum())
        for first in range(0, len(fused), BANDS_AT_ONCE):
            part = slice(first, first + BANDS_AT_ONCE)
            images = fused[part].double(), reference[part].double()
            ssim, uiqi = _similarity(*images, self._peaks[part])
            self._ssim[part] += ssim[:, whole].sum(1)
            self._uiqi[part] += uiqi[:, whole].sum(1)

    @property
    def ssim(self) -> list[float | None]:
        """The mean over all windows, by band."""
        return self._mean(self._ssim, self._peaks > 0)

    @property
    def uiqi(self) -> list[float | None]:
        """The mean over all windows, by band."""
        return self._mean(self._uiqi, torch.ones_like(self._peaks, dtype=torch.bool))

    def _mean(self, sums: Tensor, told: Tensor) -> list[float | None]:
        told = told & (self.places > 0)
        return [float(s) / self.places if ok else None for s, ok in zip(sums, told)]


def _similarity(fused: Tensor, reference: Tensor, peaks: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and UIQI (bands, h − 10, w − 10) of images (bands, h, w)."""
    moments = torch.stack((fused, reference, fused.square(), reference.square(), fused * reference))
    mean_f, mean_r, square_f, square_r, product = _blurred(moments)
    power = mean_f.square() + mean_r.square()
    spread = square_f + square_r - power
    spread = torch.where(spread > _ROUNDING * power, spread, 0.0)
    shared = torch.where(spread > 0, product - mean_f * mean_r, 0.0)
    c1, c2 = ((k * peaks).square()[:, None, None] for k in (K1, K2))
    ssim = (2 * mean_f * mean_r + c1) / (power + c1) * (2 * shared + c2) / (spread + c2)
    return ssim, _ratio(2 * mean_f * mean_r, power) * _ratio(2 * shared, spread)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """`above` over `below`, 1 where both are zero."""
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 1.0)


def _blurred(images: Tensor) -> Tensor:
    """(…, h, w) through the window, where it lies wholly inside: (…, h − 10, w − 10)."""
    return _along(_along(images, -1), -2)


def _along(images: Tensor, axis: int) -> Tensor:
    """Through the window along one axis, 10 shorter. In float64 sums beat torch's convolution."""
    size = images.shape[axis] - 2 * MARGIN
    place = torch.arange(-MARGIN, MARGIN + 1, dtype=torch.float64)
    kernel = (-0.5 * (place / SIGMA).square()).exp()
    total = torch.zeros_like(images.narrow(axis, 0, size))
    for first, weight in enumerate((kernel / kernel.sum()).tolist()):
        total.add_(images.narrow(axis, first, size), alpha=weight)
    return total
