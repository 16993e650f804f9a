"""Observation: how a fine image looks through the hyperspectral sensor, and the way back up.

Two separable linear maps between a fine and a coarse window whose rows and columns are parallel, at
any ratio and phase (`Axis`): `down` blurs by the sensor's PSF, a Gaussian, and samples at the
centres of the coarse pixels (Wald's protocol); `up` interpolates by Keys' cubic convolution. A map
is one small matrix an axis, exact at every phase, so that nothing is resampled beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..rasters.grid import Axis

# A Gaussian whose full width at half maximum is one coarse pixel.
DEFAULT_SIGMA = 1 / (2 * math.sqrt(2 * math.log(2)))
# The PSF reaches this many standard deviations: a full width at half maximum on either side, so
# that the default kernel is two coarse pixels wide.
REACH = 1 / DEFAULT_SIGMA
# In fine pixels; below it a centre between two pixels would see neither.
LEAST_SPREAD = 0.25


@dataclass(frozen=True)
class Observation:
    """The maps between a fine (H, W) and a coarse (h, w) window.

    Images are (…, H, W) and (…, h, w), float32, of any number of leading axes.
    """

    down_rows: Tensor
    down_cols: Tensor
    up_rows: Tensor
    up_cols: Tensor

    @classmethod
    def between(
        cls,
        fine: tuple[int, int],
        coarse: tuple[int, int],
        rows: Axis,
        cols: Axis,
        sigma: float,
        device: torch.device | str = "cpu",
    ) -> Observation:
        """The maps for windows of these sizes; sigma: of the PSF, in coarse pixels."""
        maps = (
            point_spread(rows, coarse[0], fine[0], sigma),
            point_spread(cols, coarse[1], fine[1], sigma),
            cubic(rows, coarse[0], fine[0]),
            cubic(cols, coarse[1], fine[1]),
        )
        return cls(*(m.to(device) for m in maps))

    def down(self, fine: Tensor) -> Tensor:
        """(…, H, W) → (…, h, w): blurred and sampled."""
        return self.down_rows @ fine @ self.down_cols.T

    def down_around(self, fine: Tensor) -> Tensor:
        """(b, H, W) → (3, 3, b, h, w): `down` of what lies a pixel above, at, and a pixel below
        every pixel, and left, at and right of it; ends repeat.
        """
        height, width = fine.shape[1:]
        padded = F.pad(fine[None], (1, 1, 1, 1), mode="replicate")[0]
        cuts = [
            [padded[:, row : row + height, col : col + width] for col in range(3)]
            for row in range(3)
        ]
        return torch.stack([torch.stack([self.down(cut) for cut in row]) for row in cuts])

    def up(self, coarse: Tensor) -> Tensor:
        """(…, h, w) → (…, H, W): interpolated."""
        return self.up_rows @ coarse @ self.up_cols.T


def point_spread(
    axis: Axis,
    coarse: int,
    fine: int,
    sigma: float,
    reach: float = REACH,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """(coarse, fine) weights of the PSF along an axis; each row sums to 1.

    sigma: in coarse pixels; reach: in standard deviations. The image goes on beyond its ends
    mirrored; a coarse pixel centred beyond an end is moved to it.
    """
    spread = max(sigma * axis.ratio, LEAST_SPREAD)
    centre = axis.offset + axis.ratio * (torch.arange(coarse, dtype=torch.float64) + 0.5)
    centre = centre.clamp(0, fine)[:, None]
    most = math.ceil(reach * spread) + 1
    taps = torch.floor(centre) + torch.arange(-most, most + 1)
    distance = (taps + 0.5 - centre) / spread
    # A tap at the very end counts, whichever way its distance was rounded.
    weight = torch.where(distance.abs() <= reach + 1e-9, (-0.5 * distance**2).exp(), 0.0)
    matrix = torch.zeros(coarse, fine, dtype=torch.float64)
    matrix.scatter_add_(1, _mirrored(taps.long(), fine), weight)
    return (matrix / matrix.sum(1, keepdim=True)).to(dtype)


def seen(
    axis: Axis, coarse: tuple[int, int], size: int, sigma: float, reach: float = REACH
) -> tuple[int, int]:
    """Fine pixels (start, stop), of `size`, that the coarse ones from start to stop see."""
    margin = math.ceil(reach * max(sigma * axis.ratio, LEAST_SPREAD)) + 1
    start = math.floor(axis.to_fine(coarse[0])) - margin
    return max(start, 0), min(math.ceil(axis.to_fine(coarse[1])) + margin, size)


def centred(axis: Axis, coarse: int, fine: int, margin: float = 0.0) -> Tensor:
    """(coarse,) whether a coarse pixel's centre lies within the fine window, and so far from its
    ends: margin in coarse pixels.
    """
    centre = axis.offset + axis.ratio * (torch.arange(coarse) + 0.5)
    away = margin * axis.ratio
    return (centre >= away) & (centre <= fine - away)


def cubic(axis: Axis, coarse: int, fine: int) -> Tensor:
    """(fine, coarse) weights of Keys' cubic convolution (a = −1/2); each row sums to 1.

    Keys, *Cubic convolution interpolation for digital image processing*, 1981. End pixels repeat.
    """
    place = (torch.arange(fine, dtype=torch.float64) + 0.5 - axis.offset) / axis.ratio - 0.5
    taps = torch.floor(place)[:, None] + torch.arange(-1, 3)
    t = (place[:, None] - taps).abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weight = torch.where(t <= 1, near, torch.where(t < 2, far, 0.0))
    matrix = torch.zeros(fine, coarse, dtype=torch.float64)
    matrix.scatter_add_(1, taps.long().clamp(0, coarse - 1), weight)
    return matrix.float()


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Indices beyond an axis of this size folded back into it, the end pixels repeated."""
    folded = index.remainder(2 * size)
    return torch.minimum(folded, 2 * size - 1 - folded)
