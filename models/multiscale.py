"""One stage: a RASD module at full resolution, another at an eighth, and the two joined."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import RASDConfig
from .layout import on_grid
from .rasd import RASD

SCALE = 8  # the coarse module works at one point for SCALE × SCALE


class MultiScaleRASD(nn.Module):
    """One stage of the network, MS-RASD."""

    def __init__(self, config: RASDConfig) -> None:
        super().__init__()
        channels = config.channels
        self.fine = RASD(config)
        self.down = nn.Sequential(
            nn.Conv2d(channels, channels, 6, stride=4, padding=2, bias=False),
            nn.Conv2d(channels, channels, 4, stride=2, padding=1, bias=False),
        )
        self.coarse = RASD(config)
        self.up = nn.Linear(channels, SCALE * SCALE * channels)
        self.join = nn.Linear(2 * channels, channels)

    def forward(
        self, features: Tensor, ratio: float, auto: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """F_{n-1} (N, H, W, C) → F_n and both confidence maps, (N, H, W) and (N, H/8, W/8).

        H and W are multiples of 8. ratio, auto: as `RASD.forward` takes them.
        """
        fine, trust_fine = self.fine(features, ratio, auto)
        coarse, trust_coarse = self.coarse(on_grid(self.down, fine), ratio, auto)
        joined = self.join(torch.cat((fine, shuffled(self.up(coarse))), -1))
        return joined, trust_fine, trust_coarse


def shuffled(blocks: Tensor) -> Tensor:
    """Pixel shuffle, channels last: (N, h, w, 64·C) → (N, 8h, 8w, C).

    Within a block the order is row, column, channel, so that whole points move.
    """
    samples, height, width, _ = blocks.shape
    x = blocks.view(samples, height, width, SCALE, SCALE, -1).transpose(2, 3)
    return x.reshape(samples, SCALE * height, SCALE * width, -1)
