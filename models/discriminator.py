"""The rank-aware discriminator: how far each feature point can be trusted to a low-rank model.

A detail branch looks at the nearest neighbours, a context branch at a 9x9 surrounding through two
dilated convolutions; a small head joins them into the confidence map M.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layout import as_points, channel_major

WIDTH = 4  # channels of each branch
SLOPE = 0.1  # of LeakyReLU, here and everywhere in the network


class Discriminator(nn.Module):
    """Confidence that a feature point is of low rank, from what lies around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.detail_in = nn.Linear(channels, WIDTH)
        self.detail = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH)
        self.context_in = nn.Linear(channels, WIDTH)
        self.context_near = nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2, groups=WIDTH)
        self.context_far = nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2, groups=WIDTH)
        self.join = nn.Conv2d(2 * WIDTH, WIDTH, 1)
        self.head = nn.Conv2d(WIDTH, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, H, W, C) → M (N, H, W), each in (0, 1); near 1 is low-rank."""
        detail, context = self._enter(features)
        detail = self.detail(detail)
        context = self.context_far(F.leaky_relu(self.context_near(context), SLOPE))
        joined = F.leaky_relu(self.join(torch.cat((detail, context), 1)), SLOPE)
        return torch.sigmoid(self.head(joined)).squeeze(1)

    def _enter(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Both branches' 1x1 convolutions in one product: two (N, 4, H, W), channels first."""
        weight = torch.cat((self.detail_in.weight, self.context_in.weight))
        bias = torch.cat((self.detail_in.bias, self.context_in.bias))
        entered = channel_major(weight, as_points(features), bias)
        entered = F.leaky_relu(entered, SLOPE).unflatten(2, features.shape[1:3])
        return entered.split(WIDTH, dim=1)
