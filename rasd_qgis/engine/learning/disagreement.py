"""Disagreement: how a guide differs from what the hyperspectral sensor saw of the same ground.

Real pairs are of two sensors, two days and two angles. Each way below is taken or not, at random:
a response that is not linear, light that changes over the scene, shadows and ground that were not
there, texture that only the guide shows, pixels out of place by up to about one, and blur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Random = np.random.Generator

# The greatest shift of pixels, in fine pixels: that of the whole, and of parts against each other.
SHIFT, WARP = 0.8, 1.0


def of(random: Random, guide: Tensor) -> Tensor:
    """A guide (b, H, W) as it might have been."""
    spread = guide.std((1, 2), keepdim=True).clamp_min(1e-9)
    for way, share in _WAYS:
        if random.random() < share:
            guide = way(random, guide, spread)
    return guide


def _bent(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    """A response that is not linear."""
    least = guide.amin((1, 2), keepdim=True)
    return least + spread * ((guide - least) / spread + 1e-3) ** random.uniform(0.75, 1.3)


def _lit(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    """Light, or haze, that changes over the scene."""
    height, width = guide.shape[1:]
    field = smooth(random, height, width, max(height, width) / random.uniform(1.5, 5))
    return guide * (1 + random.uniform(0.02, 0.15) * field)


def _shadowed(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    """Shadows where the other image has none."""
    height, width = guide.shape[1:]
    field = smooth(random, height, width, random.uniform(3, 12))
    shade = blurred((field > random.uniform(1, 2)).float()[None], 0.7)
    return guide * (1 - random.uniform(0.1, 0.6) * shade)


def _changed(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    """Ground of some kind that looked otherwise on another day."""
    turn = normal(random, (1 + len(guide),))
    standard = (guide - guide.mean((1, 2), keepdim=True)) / spread
    kind = torch.tanh(2 * (torch.tensordot(turn[1:], standard, 1) + turn[0]))
    return guide + spread * normal(random, (len(guide), 1, 1)) * random.uniform(0.05, 0.4) * kind


def _textured(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    """Texture that only the guide shows."""
    texture = blurred(normal(random, (1, *guide.shape[1:])), random.uniform(0.5, 2))
    uneven = 1 + 0.3 * normal(random, (len(guide), 1, 1))
    return guide + spread * random.uniform(0.03, 0.4) * uneven * texture / texture.std()


def _moved(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    """Pixels out of place: all alike, or trees and slopes each their own way."""
    height, width = guide.shape[1:]
    apart, most = random.uniform(), random.uniform(0, WARP)
    down, across = (
        most * apart * smooth(random, height, width, random.uniform(4, 30))
        + random.uniform(-SHIFT, SHIFT) * (1 - apart)
        for _ in range(2)
    )
    return warped(guide, down, across)


def _softened(random: Random, guide: Tensor, spread: Tensor) -> Tensor:
    return blurred(guide, random.uniform(0.3, 0.8))


_WAYS = (
    (_bent, 0.5),
    (_lit, 0.4),
    (_shadowed, 0.3),
    (_changed, 0.35),
    (_textured, 0.35),
    (_moved, 0.7),
    (_softened, 0.4),
)


def normal(random: Random, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers, float32."""
    return torch.from_numpy(random.standard_normal(tuple(shape), dtype=np.float32))


def smooth(random: Random, height: int, width: int, scale: float) -> Tensor:
    """(H, W): about normal, and smooth over `scale` pixels."""
    knots = [max(2, math.ceil(size / scale) + 1) for size in (height, width)]
    field = normal(random, (1, 1, *knots))
    return F.interpolate(field, (height, width), mode="bicubic", align_corners=True)[0, 0]


def warped(image: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """(b, H, W) seen so many pixels further down and across, (H, W) each."""
    height, width = image.shape[1:]
    rows = torch.arange(height)[:, None] + down
    cols = torch.arange(width) + across
    place = torch.stack(((2 * cols + 1) / width - 1, (2 * rows + 1) / height - 1), -1)
    return F.grid_sample(
        image[None], place[None], mode="bicubic", padding_mode="reflection", align_corners=False
    )[0]


def blurred(image: Tensor, sigma: float) -> Tensor:
    """(b, H, W) through a Gaussian of that standard deviation, in pixels."""
    reach = max(1, math.ceil(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image[:, None], (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[None, None, :, None])
    return F.conv2d(rows, kernel[None, None, None, :])[:, 0]
