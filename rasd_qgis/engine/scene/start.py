"""Starts: the image that the network grows from, and what it is told beside it.

"scene" and "pair" start from the closed form of `estimate`: a model of one scene holds the gains it
was trained with, one of many scenes takes those of the pair at hand. "cubic" is the paper's start,
the interpolated hyperspectral image alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..sensors.observe import Observation
from .estimate import detail, hypersharpen
from .normalise import Units

SCENE, PAIR, CUBIC = "scene", "pair", "cubic"
STARTS = (SCENE, PAIR, CUBIC)


class Begun(NamedTuple):
    """image: (B, H, W) in DN; components: (K, H, W) of it; guide: (g, H, W); both in spreads."""

    image: Tensor
    components: Tensor
    guide: Tensor


def begin(
    start: str, units: Units, gains: Tensor, guide: Tensor, coarse: Tensor, look: Observation
) -> Begun:
    """What the network is given of a coarse image (B, h, w) and a guide (b, H, W), both in DN."""
    if start == CUBIC:
        image = look.up(coarse)
        return Begun(image, units.start(image), units.guide(guide, guide)[: len(guide)])
    fine_detail = detail(guide, look)
    image = hypersharpen(coarse, fine_detail, gains, look)
    return Begun(image, units.start(image), units.guide(guide, fine_detail))


def added(start: str, image: Tensor, residual: Tensor, look: Observation) -> Tensor:
    """The image (B, H, W) and of the residual what the start leaves the network to add."""
    if start == CUBIC:
        return image + residual
    # Only what the sensor could not see is the network's to add.
    return image + detail(residual, look)


def guide_channels(start: str, bands: int) -> int:
    """The channels that the network is given of a guide of so many bands."""
    return bands if start == CUBIC else 2 * bands


def plain_units(good: Tensor, scale: float, guide_bands: int) -> Units:
    """The paper's units: every band by itself, and all values divided by `scale`.

    good: (B,) bool, bands that count.
    """
    bands = len(good)
    miss = torch.where(good, scale, torch.inf)
    return Units(
        torch.zeros(bands),
        miss,
        torch.eye(bands),
        torch.ones(bands),
        torch.zeros(guide_bands),
        torch.full((guide_bands,), scale),
        torch.full((guide_bands,), scale),
    )
