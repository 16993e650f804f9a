"""The gradient embedding: edges of the feature map, told to the attention branch.

Horizontal and vertical Sobel differences of the features, each channel first brought to 0…1 by its
own least and greatest value. Sobel's weights sum to zero, so taking off the least value would
change nothing: the features are only divided by their range.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .discriminator import SLOPE
from .layout import on_grid

FLAT = 1e-6  # a channel whose range is below this has no edges worth dividing up


class Sobel(nn.Module):
    """Edges of normalised features; the kernels are Sobel's over 8, the border is repeated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        self.register_buffer("across", across.repeat(channels, 1, 1, 1), persistent=False)
        self.register_buffer("down", across.T.repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, H, W, C) → edges (N, H, W, 2C), horizontal then vertical."""
        span = (features.amax((1, 2)) - features.amin((1, 2))).clamp_min(FLAT)
        return on_grid(self._differences, features / span[:, None, None])

    def _differences(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        # two convolutions of a channel each: one of two outputs a channel takes ten times as long
        return torch.cat([F.conv2d(x, k, groups=x.shape[1]) for k in (self.across, self.down)], 1)


class GradientEmbedding(nn.Module):
    """The factor by which edges weight the scan's output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(2 * channels, channels)
        self.widen = nn.Linear(channels, 2 * channels)

    def forward(self, edges: Tensor) -> Tensor:
        """Edges at the points (N, n, 2C) → a factor for each of their channels, (N, n, 2C)."""
        return self.widen(F.leaky_relu(self.narrow(edges), SLOPE))
