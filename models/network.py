"""RASD-FuNet: a starting image and a guide in, the fused image and its confidence maps out.

After Liu, Dian, Zhao and Li, *Rank-aware routing decomposition for hyperspectral and multispectral
image fusion*, Information Fusion 136 (2026) 104498. README.md names the part of the paper that each
class is, and each departure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import fast
from .config import RASDConfig
from .layout import as_points
from .multiscale import SCALE, MultiScaleRASD
from .routing import routed_grid


class Fused(NamedTuple):
    """What the network returns.

    image: (N, B, H, W), in the units of the starting image.
    confidence: (N, 2·stages, H, W) in 0…1: stage by stage, the full scale and then the eighth.
    low_rank_share: share of the feature points, over all stages and scales, sent to the low-rank
        branch.
    """

    image: Tensor
    confidence: Tensor
    low_rank_share: float


@dataclass(frozen=True)
class Tiling:
    """What the network asks of a tile, in pixels of the fine grid.

    multiple: sides that are a multiple of this need no padding inside.
    halo: pixels of context to read on each side and cut off again.
    least: the smallest side.
    """

    multiple: int
    halo: int
    least: int


class RASDFuNet(nn.Module):
    """The network for a configuration; fresh weights are Xavier-uniform from torch's generator."""

    # measured on a trained network: a tile's edge is felt over 16 pixels; what else sets a tile
    # apart from the whole (statistics over all its points) no halo takes away
    tiling = Tiling(multiple=SCALE, halo=32, least=2 * SCALE)

    def __init__(self, config: RASDConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.enter = nn.Linear(config.hs_bands + config.guide_bands, channels)
        self.stages = nn.ModuleList(MultiScaleRASD(config) for _ in range(config.stages))
        self.reconstruct = nn.Linear((config.stages + 1) * channels, config.hs_bands, bias=False)
        self._initialise()

    def start_from_skip(self) -> None:
        """Zero the reconstruction, so that the untrained network returns its starting image."""
        nn.init.zeros_(self.reconstruct.weight)

    def forward(self, start: Tensor, guide: Tensor, ratio: float, auto: bool = False) -> Fused:
        """Fuse a starting image with a guide.

        start: (N, B, H, W), the hyperspectral image on the fine grid (bicubic in the paper).
        guide: (N, b, H, W). Both of the same scale, about 0…1; any H and W from 16 up.
        ratio: the routing ratio r, 0…1: 0 is the attention branch alone, 1 the low-rank one.
        auto: whether every stage and scale routes as many points low-rank as its discriminator
            calls so, with the ratio as the least share.
        Raises ValueError on other shapes or ratios.
        """
        self._check(start, guide, ratio)
        height, width = start.shape[2:]
        start, guide = _padded(start), _padded(guide)
        if fast.usable(self, start):
            image, maps = fast.predict(self, start, guide, ratio, auto)
        else:
            image, maps = self._fused(start, guide, ratio, auto)
        enlarged = [side for fine, coarse in maps for side in (fine, _enlarged(coarse))]
        confidence = torch.stack(enlarged, 1)[..., :height, :width]
        share = _share([trust for stage in maps for trust in stage], ratio, auto)
        return Fused(image[..., :height, :width], confidence, share)

    def _fused(
        self, start: Tensor, guide: Tensor, ratio: float, auto: bool = False
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The image, and each stage's confidence maps; sides are multiples of 8."""
        # N, B, H·W: each stage adds its share of the reconstruction at once, none is kept for it
        image = start.flatten(2)
        features = self.enter(torch.cat((start, guide), 1).permute(0, 2, 3, 1))
        weights = self.reconstruct.weight.split(self.config.channels, dim=1)
        image = _added(image, weights[0], features)
        maps = []
        for stage, weight in zip(self.stages, weights[1:]):
            features, fine, coarse = stage(features, ratio, auto)
            image = _added(image, weight, features)
            maps.append((fine, coarse))
        return image.view_as(start), maps

    def _check(self, start: Tensor, guide: Tensor, ratio: float) -> None:
        bands = (self.config.hs_bands, self.config.guide_bands)
        if start.ndim != 4 or guide.ndim != 4 or (start.shape[1], guide.shape[1]) != bands:
            raise ValueError(
                f"expected (N, {bands[0]}, H, W) and (N, {bands[1]}, H, W), "
                f"not {tuple(start.shape)} and {tuple(guide.shape)}"
            )
        if start.shape[0] != guide.shape[0] or start.shape[2:] != guide.shape[2:]:
            raise ValueError(f"{tuple(start.shape)} and {tuple(guide.shape)} do not lie together")
        if min(start.shape[2:]) < self.tiling.least:
            raise ValueError(f"sides of at least {self.tiling.least}, not {tuple(start.shape[2:])}")
        if not 0.0 <= ratio <= 1.0:
            raise ValueError(f"the routing ratio lies in 0…1, not {ratio}")

    def _initialise(self) -> None:
        """Xavier-uniform weights and zero biases; the scan keeps an initialisation of its own."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for stage in self.stages:
            for part in (stage.fine, stage.coarse):
                part.attention.scan.reset()


def _added(image: Tensor, weight: Tensor, features: Tensor) -> Tensor:
    """The sum image (N, B, P) + weight (B, C) · features (N, H, W, C)."""
    return torch.baddbmm(
        image, weight.expand(image.shape[0], -1, -1), as_points(features).transpose(1, 2)
    )


def _padded(image: Tensor) -> Tensor:
    """(N, B, H, W) with its last rows and columns repeated to a multiple of 8."""
    down, right = (-side % SCALE for side in image.shape[2:])
    return F.pad(image, (0, right, 0, down), mode="replicate") if down or right else image


def _enlarged(confidence: Tensor) -> Tensor:
    """(N, H/8, W/8) → (N, H, W), each value repeated."""
    return confidence.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)


def _share(maps: list[Tensor], ratio: float, auto: bool) -> float:
    """Share of the points in the low-rank clusters, from the confidence (N, h, w) of every map."""
    low = sum(math.prod(routed_grid(confidence, ratio, auto)) for confidence in maps)
    return low / sum(math.prod(confidence.shape[1:]) for confidence in maps)
