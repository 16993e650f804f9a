"""Point spread: the Gaussian of a simulated sensor, told by its width or by its MTF.

The MTF at Nyquist is how much of a wave two coarse pixels long survives the blur. It is worked out
on the kernel as it is sampled and cut off, so a kernel made for 0.3 has 0.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...contract.errors import InputError
from ...contract.request import SimulateRequest
from ..rasters.grid import Axis
from .observe import DEFAULT_SIGMA, LEAST_SPREAD, REACH, point_spread

_HALVINGS = 40
_WIDEST = 4.0  # coarse pixels; a sensor that blurs more resolves nothing of its own grid


@dataclass(frozen=True)
class Blur:
    """sigma: standard deviation in coarse pixels; reach: where it ends, in standard deviations."""

    sigma: float
    reach: float

    def mtf(self, ratio: float) -> float:
        """What is left of a wave at the coarse grid's Nyquist frequency, 0…1."""
        size = 2 * math.ceil(self.reach * max(self.sigma * ratio, LEAST_SPREAD)) + 4
        # Centred as in the middle of a block: between two fine pixels where the ratio is even.
        parity = 0.5 * (round(ratio) % 2)
        axis = Axis(ratio, size / 2 + parity - ratio / 2)
        kernel = point_spread(axis, 1, size, self.sigma, self.reach, torch.float64)[0]
        place = torch.arange(size, dtype=torch.float64) + 0.5 - (size / 2 + parity)
        return float((kernel * torch.cos(math.pi * place / ratio)).sum())


def blur_of(request: SimulateRequest) -> Blur:
    """The blur that a request tells; InputError where no Gaussian has its MTF."""
    if request.mtf is None:
        sigma = DEFAULT_SIGMA if request.psf_sigma is None else request.psf_sigma
        return Blur(sigma, _reach(request, sigma))
    low, high = LEAST_SPREAD / request.ratio, _WIDEST
    made = [Blur(sigma, _reach(request, sigma)).mtf(request.ratio) for sigma in (low, high)]
    if not made[1] <= request.mtf <= made[0]:
        raise InputError(
            f"No Gaussian kernel at ratio {request.ratio:g} has an MTF of {request.mtf:g} at "
            f"Nyquist; from {made[1]:.2f} to {made[0]:.2f} is possible.",
            "Choose another MTF, or a larger kernel.",
        )
    for _ in range(_HALVINGS):
        sigma = (low + high) / 2
        wide = Blur(sigma, _reach(request, sigma)).mtf(request.ratio) < request.mtf
        low, high = (low, sigma) if wide else (sigma, high)
    return Blur(sigma, _reach(request, sigma))


def _reach(request: SimulateRequest, sigma: float) -> float:
    return kernel_reach(request.kernel_size, sigma, request.ratio)


def kernel_reach(size: int | None, sigma: float, ratio: float) -> float:
    """Where a kernel of `size` fine pixels ends, in standard deviations; None as in every fusion.

    sigma: in coarse pixels.
    """
    if size is None:
        return REACH
    # A quarter pixel short of the edge: between its last tap and the next.
    return (size / 2 - 0.25) / max(sigma * ratio, LEAST_SPREAD)


def phase_offset(phase: str, ratio: float) -> float:
    """The fine edge coordinate at which the first coarse pixel begins, where its block is at 0.

    "published": a kernel of the ratio's parity about pixel 0 of each block, which stands half a
    coarse pixel off the block's middle. InputError where the ratio makes no blocks.
    """
    if phase == "centred":
        return 0.0
    if not float(ratio).is_integer():
        raise InputError(
            f"The published phase keeps pixel 0 of each block, and the ratio {ratio:g} makes none.",
            "Choose a whole ratio, or the centred phase.",
        )
    return float(-(int(ratio) // 2))
