"""The network at work on a scene: its weights, the scene's units, and what they were made for.

A `SceneNetwork` predicts, in the scene's components, what the closed-form estimate misses. Applied
to a tile it gives the fused bands and the discriminators' confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models import Fused, RASDFuNet
from .estimate import detail, hypersharpen
from .normalise import Units
from .tile import Tile

# Spreads from the mean beyond which the network is told no more: stage by stage it multiplies its
# features, and an image far from all it was trained on would take the numbers beyond float32.
GREATEST = 30.0


class FusedTile(NamedTuple):
    """bands: (B, H, W) in DN; start: the closed-form estimate it grew from, alike.

    confidence: (1 + 2·stages, H, W) in 0…1, the mean first. low_rank_share: of the feature points.
    """

    bands: Tensor
    start: Tensor
    confidence: Tensor
    low_rank_share: float


@dataclass(frozen=True)
class SceneNetwork:
    """The network with what it knows of its scene.

    gains: (b, B), of the bands on the guide. response: (1 + K, b), how the guide's sensor sees the
    components, a constant first.
    """

    network: RASDFuNet
    units: Units
    gains: Tensor
    response: Tensor

    def to(self, device: torch.device) -> SceneNetwork:
        """The same on that device."""
        tensors = self.gains.to(device), self.response.to(device)
        return SceneNetwork(self.network.to(device), self.units.to(device), *tensors)

    def seen(self, bands: Tensor) -> Tensor:
        """Bands (B, H, W) as the guide's sensor would see them: (b, H, W), in its DN."""
        constant, slopes = self.response[0], self.response[1:]
        seen = torch.einsum("kb,khw->bhw", slopes, self.units.start(bands))
        return seen + constant[:, None, None]

    def fuse(self, tile: Tile, ratio: float) -> FusedTile:
        """Fuse a tile at a routing ratio of 0…1."""
        fine_detail = detail(tile.guide, tile.look)
        start = hypersharpen(tile.coarse, fine_detail, self.gains, tile.look)
        components = self.units.start(start)
        fused = self._predict(components, self.units.guide(tile.guide, fine_detail), ratio)
        # Only what the sensor could not see is the network's to add.
        bands = start + detail(self.units.in_dn(fused.image[0]), tile.look)
        stages = fused.confidence[0]
        confidence = torch.cat((stages.mean(0, keepdim=True), stages))
        return FusedTile(bands, start, confidence, fused.low_rank_share)

    def _predict(self, components: Tensor, guide: Tensor, ratio: float) -> Fused:
        """What the network adds to a tile of any size: a small one is repeated outwards and cut."""
        height, width = components.shape[1:]
        least = self.network.tiling.least
        down, right = max(0, least - height), max(0, least - width)
        start, guide = (
            F.pad(image[None].clamp(-GREATEST, GREATEST), (0, right, 0, down), mode="replicate")
            for image in (components, guide)
        )
        fused = self.network(start, guide, ratio)
        return fused._replace(
            image=(fused.image - start)[..., :height, :width],
            confidence=fused.confidence[..., :height, :width],
        )


class Consistency:
    """How far what was fused, observed again, is from an input: RMSE as a share of its range."""

    def __init__(self) -> None:
        self._squares, self._count = 0.0, 0
        self._least, self._greatest = math.inf, -math.inf

    def add(self, seen: Tensor, given: Tensor, where: Tensor) -> None:
        """Two images (bands, H, W), compared where the mask (H, W) holds."""
        seen, given = seen[:, where], given[:, where]
        if given.numel():
            self._squares += float((seen - given).double().square().sum())
            self._count += given.numel()
            self._least = min(self._least, float(given.min()))
            self._greatest = max(self._greatest, float(given.max()))

    @property
    def error(self) -> float:
        """0 where nothing was added."""
        span = self._greatest - self._least
        if not self._count or span <= 0:
            return 0.0
        return math.sqrt(self._squares / self._count) / span
