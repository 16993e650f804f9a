"""The network at work on a scene: its weights, the scene's units, and what they were made for.

A `SceneNetwork` predicts, in the scene's components, what the closed-form estimate misses. Applied
to a tile it gives the fused bands and the discriminators' confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ....models import Fused, RASDFuNet, routing_maps
from ...contract.errors import ModelFileError
from .graphs import Graphs
from .normalise import Units
from .start import SCENE, Begun, added, begin
from .tile import Tile

# Spreads from the mean beyond which the network is told no more: stage by stage it multiplies its
# features, and an image far from all it was trained on would take the numbers beyond float32.
GREATEST = 30.0


class FusedTile(NamedTuple):
    """bands: (B, H, W) in DN; start: the closed-form estimate it grew from, alike.

    confidence: (1 + 2·stages, H, W) in 0…1, the mean first. low_rank_share: of the feature points.
    spread: (B, H, W) in DN, half the width of the interval that holds the truth in nine pixels of
    ten; None where the model cannot tell.
    """

    bands: Tensor
    start: Tensor
    confidence: Tensor
    low_rank_share: float
    spread: Tensor | None = None


class RoutedTile(NamedTuple):
    """confidence: (1 + 2·stages, H, W) in 0…1, the mean first.

    routed: (2·stages, H, W) bool, True where a point took the low-rank branch; stage by stage the
    full scale, then the eighth.
    """

    confidence: Tensor
    routed: Tensor


@dataclass(frozen=True)
class SceneNetwork:
    """The network with what it knows of its scene.

    gains: (b, B), of the bands on the guide. response: (1 + K, b), how the guide's sensor sees the
    components, a constant first. start: what the network grows from, one of `start.STARTS`.
    graphs: what runs in the network's place on a card where that holds.
    """

    network: RASDFuNet
    units: Units
    gains: Tensor
    response: Tensor
    start: str = SCENE
    graphs: Graphs | None = None

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.gains.device

    def tensors(self) -> dict[str, Tensor]:
        """All that its pixels hang on, by name."""
        named = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        named |= {f"units.{field.name}": getattr(self.units, field.name) for field in fields(Units)}
        return named | {"gains": self.gains, "response": self.response}

    def to(self, device: torch.device) -> SceneNetwork:
        """The same on that device."""
        return replace(
            self,
            network=self.network.to(device),
            units=self.units.to(device),
            gains=self.gains.to(device).contiguous(),
            response=self.response.to(device).contiguous(),
        )

    def seen(self, bands: Tensor) -> Tensor:
        """Bands (B, H, W) as the guide's sensor would see them: (b, H, W), in its DN."""
        constant, slopes = self.response[0], self.response[1:]
        seen = torch.einsum("kb,khw->bhw", slopes, self.units.start(bands))
        return seen + constant[:, None, None]

    def fuse(self, tile: Tile, ratio: float, auto: bool = False) -> FusedTile:
        """Fuse a tile at a routing ratio of 0…1; auto: as `RASDFuNet.forward` takes it."""
        begun = self._begin(tile)
        fused = self._predict(begun.components, begun.guide, ratio, auto)
        residual = self.units.in_dn(fused.image[0])
        bands = added(self.start, begun.image, residual, tile.look)
        stages = fused.confidence[0]
        confidence = torch.cat((stages.mean(0, keepdim=True), stages))
        if not bool(bands.isfinite().all() and confidence.isfinite().all()):
            raise beyond_numbers()
        return FusedTile(bands, begun.image, confidence, fused.low_rank_share)

    def route(self, tile: Tile, ratio: float) -> RoutedTile:
        """The confidence of a tile at a routing ratio of 0…1, and which branch its points take."""
        begun = self._begin(tile)
        height, width = begun.components.shape[1:]
        # Routing is by all points that the network sees, those it is padded with too.
        multiple = self.network.tiling.multiple
        padding = (0, -width % multiple, 0, -height % multiple)
        start, guide = (
            F.pad(image[None], padding, mode="replicate")[0]
            for image in (begun.components, begun.guide)
        )
        stages = self._predict(start, guide, ratio).confidence[0]
        routed = routing_maps(stages[None], ratio)[0]
        confidence = torch.cat((stages.mean(0, keepdim=True), stages))
        return RoutedTile(confidence[:, :height, :width], routed[:, :height, :width])

    def _begin(self, tile: Tile) -> Begun:
        return begin(self.start, self.units, self.gains, tile.guide, tile.coarse, tile.look)

    def _predict(
        self, components: Tensor, guide: Tensor, ratio: float, auto: bool = False
    ) -> Fused:
        """What the network adds to a tile of any size: a small one is repeated outwards and cut."""
        height, width = components.shape[1:]
        least = self.network.tiling.least
        down, right = max(0, least - height), max(0, least - width)
        start, guide = (
            F.pad(image[None].clamp(-GREATEST, GREATEST), (0, right, 0, down), mode="replicate")
            for image in (components, guide)
        )
        fused = (self.graphs or self.network)(start, guide, ratio, auto)
        return fused._replace(
            image=(fused.image - start)[..., :height, :width],
            confidence=fused.confidence[..., :height, :width],
        )


def beyond_numbers() -> ModelFileError:
    """The error where a model's weights lead to what is no number, or to one too large."""
    return ModelFileError(
        "The model's weights lead beyond all numbers on this pair.",
        "Choose another model file, or train on the scene.",
    )


class Consistency:
    """How far what was fused, observed again, is from an input: RMSE as a share of its range."""

    def __init__(self) -> None:
        self._squares, self._count = 0.0, 0
        self._least, self._greatest = math.inf, -math.inf

    def add(self, seen: Tensor, given: Tensor, where: Tensor) -> None:
        """Two images (bands, H, W), compared where the mask (H, W) holds."""
        # Where all counts, nothing is copied.
        every = bool(where.all())
        seen, given = (image.flatten(1) if every else image[:, where] for image in (seen, given))
        if given.numel():
            # A sum a band: not every GPU knows float64, and few are quick at it.
            self._squares += float((seen - given).square().sum(1).cpu().double().sum())
            self._count += given.numel()
            self._least = min(self._least, float(given.min()))
            self._greatest = max(self._greatest, float(given.max()))

    def join(self, other: Consistency) -> None:
        """Add what another one was given."""
        self._squares += other._squares
        self._count += other._count
        self._least = min(self._least, other._least)
        self._greatest = max(self._greatest, other._greatest)

    @property
    def error(self) -> float:
        """0 where nothing was added."""
        span = self._greatest - self._least
        if not self._count or span <= 0:
            return 0.0
        return math.sqrt(self._squares / self._count) / span
