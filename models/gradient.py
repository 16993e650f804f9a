"""The gradient embedding: edges of the feature map, told to the attention branch.

Horizontal and vertical Sobel differences of the features, each channel first brought to 0…1 by its
own least and greatest value. Sobel's weights sum to zero, so the least value drops out and the
division may follow the differences: only the range is needed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .discriminator import SLOPE

FLAT = 1e-6  # a channel whose range is below this has no edges worth dividing up


def sobel(features: Tensor) -> Tensor:
    """Edges of (N, H, W, C) after min-max normalisation: (N, H, W, 2C), horizontal then vertical.

    Kernels are Sobel's over 8, the border repeated.
    """
    scale = 1 / (8 * (features.amax((1, 2)) - features.amin((1, 2))).clamp_min(FLAT))
    across = _differences(_smoothed(features, 1), 2)
    down = _differences(_smoothed(features, 2), 1)
    return torch.cat((across, down), -1) * torch.cat((scale, scale), -1)[:, None, None]


def _padded(x: Tensor, axis: int) -> Tensor:
    """One more row (or column) at both ends of an axis, repeated."""
    last = x.shape[axis] - 1
    return torch.cat((x.narrow(axis, 0, 1), x, x.narrow(axis, last, 1)), axis)


def _smoothed(x: Tensor, axis: int) -> Tensor:
    """(1, 2, 1) along an axis."""
    length, padded = x.shape[axis], _padded(x, axis)
    return padded.narrow(axis, 0, length) + 2 * x + padded.narrow(axis, 2, length)


def _differences(x: Tensor, axis: int) -> Tensor:
    """(-1, 0, 1) along an axis."""
    length, padded = x.shape[axis], _padded(x, axis)
    return padded.narrow(axis, 2, length) - padded.narrow(axis, 0, length)


class GradientEmbedding(nn.Module):
    """Edges at the points (N, n, 2C) → the factor of the scan's output (N, n, 2C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(2 * channels, channels)
        self.widen = nn.Linear(channels, 2 * channels)

    def forward(self, edges: Tensor) -> Tensor:
        return self.widen(F.leaky_relu(self.narrow(edges), SLOPE))
