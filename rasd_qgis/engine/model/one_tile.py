"""One tile's work: fused, compared with what was given, and stacked for the outputs.

It is the same on this machine and on another one: what is found out is added up tile by tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...contract.request import FuseRequest
from ..scene.network import Consistency, FusedTile, beyond_numbers
from ..scene.tile import Tile
from .obtain import Fusion

_SIDES = ("hyperspectral", "multispectral")


@dataclass
class Found:
    """What fusing found out: the share routed low-rank, and the consistency with both inputs.

    low_rank_share: the sum over the tiles, until it is divided by their number.
    """

    low_rank_share: float = 0.0
    hyperspectral: Consistency = field(default_factory=Consistency)
    multispectral: Consistency = field(default_factory=Consistency)

    def state(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        sides = {side: dict(vars(getattr(self, side))) for side in _SIDES}
        return {"low_rank_share": self.low_rank_share} | sides

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self.low_rank_share = state["low_rank_share"]
        for side in _SIDES:
            vars(getattr(self, side)).update(state[side])

    def add(self, other: Found) -> None:
        """Add what another tile showed, to the same bits as if it had been fused with this one."""
        self.low_rank_share += other.low_rank_share
        self.hyperspectral.join(other.hyperspectral)
        self.multispectral.join(other.multispectral)


@dataclass(frozen=True)
class Wanted:
    """What is written beside the bands: the confidence, how far they may be off, and the estimate
    that they grew from.
    """

    confidence: bool
    uncertainty: bool
    start: bool

    def stacked(self, fused: FusedTile, tile: Tile) -> Tensor:
        """All that is written of a tile, and its validity last: (channels, H, W) on the CPU."""
        parts = [fused.bands]
        parts += [fused.confidence] if self.confidence else []
        parts += [fused.spread] if self.uncertainty and fused.spread is not None else []
        parts += [fused.start] if self.start else []
        return torch.cat([*parts, tile.valid[None].float()]).cpu()


class MadeTile(NamedTuple):
    """A tile's stacked channels (channels, H, W) on the CPU, and what it showed."""

    values: Tensor
    found: Found


def fuse_tile(
    request: FuseRequest, fusion: Fusion, tile: Tile, wanted: Wanted, found: Found
) -> Tensor:
    """All that is written of a tile, (channels, H, W) on the CPU; what it shows goes to `found`.

    ModelFileError where a model leads to what is no number.
    """
    fused = fusion.model.fuse(tile, request.routing_ratio, request.routing_mode == "auto")
    found.hyperspectral.add(tile.look.down(fused.bands), tile.coarse, tile.observed)
    found.multispectral.add(fusion.model.seen(fused.bands), tile.guide, tile.valid)
    found.low_rank_share += fused.low_rank_share
    errors = found.hyperspectral.error, found.multispectral.error
    if not all(map(math.isfinite, errors)):
        raise beyond_numbers()
    return wanted.stacked(fused, tile)
