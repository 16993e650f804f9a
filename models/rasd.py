"""One RASD module: tell the points apart, give each the model it needs, put them together again."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention
from .config import RASDConfig
from .discriminator import SLOPE, Discriminator
from .gradient import Sobel
from .layout import as_points, on_grid
from .low_rank import LowRank
from .routing import descending, routed_grid


class Refine(nn.Module):
    """Both clusters, back at their places, fused with the features they came from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = nn.Linear(2 * channels, channels)
        self.near = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.far = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.leave = nn.Linear(channels, channels)

    def forward(self, restored: Tensor, features: Tensor) -> Tensor:
        """(N, H, W, C) each → what is to be added to the features."""
        x = F.leaky_relu(self.join(torch.cat((restored, features), -1)), SLOPE)
        x = F.leaky_relu(on_grid(self.near, x), SLOPE)
        x = F.leaky_relu(on_grid(self.far, x), SLOPE)
        return self.leave(x)


class RASD(nn.Module):
    """The rank-aware routing decomposition of a feature map."""

    def __init__(self, config: RASDConfig) -> None:
        super().__init__()
        self.discriminator = Discriminator(config.channels)
        self.low_rank = LowRank(config.channels, config.terms)
        self.attention = Attention(config.channels, config.heads)
        self.sobel = Sobel(config.channels)
        self.refine = Refine(config.channels)

    def forward(self, features: Tensor, ratio: float, auto: bool = False) -> tuple[Tensor, Tensor]:
        """Features (N, H, W, C) at a routing ratio → the same shape, and M (N, H, W).

        auto: the ratio is the least share, see `routing.routed_grid`.
        """
        confidence = self.discriminator(features)
        grid = routed_grid(confidence, ratio, auto)
        restored = self._routed(features, confidence, grid)
        return features + self.refine(restored, features), confidence

    def _routed(self, features: Tensor, confidence: Tensor, grid: tuple[int, int]) -> Tensor:
        """Every point through its branch and back at its place: (N, H, W, C)."""
        height, width = features.shape[1:3]
        order = descending(confidence.flatten(1))
        split = (grid[0] * grid[1], height * width - grid[0] * grid[1])
        low, rest = order.sort(as_points(features)).split(split, dim=1)
        trust, doubt = order.sort(confidence.flatten(1)[..., None]).split(split, dim=1)
        parts = []
        if split[0]:
            parts.append(self.low_rank(trust * low, grid))
        if split[1]:
            edges = order.sort(as_points(self.sobel(features)))[:, split[0] :]
            parts.append(self.attention(rest, (1 - doubt) * rest, edges))
        return order.restore(torch.cat(parts, 1)).view_as(features)
