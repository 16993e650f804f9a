"""Routes: which branch each point took, told from the confidence maps that the network returns.

The routing is a function of the confidence, so nothing need be carried out of the network for it,
and a run that does not ask pays nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .multiscale import SCALE
from .routing import descending, low_rank_grid


def routing_maps(confidence: Tensor, ratio: float) -> Tensor:
    """Confidence (N, 2·stages, H, W) of `Fused` → bool alike, True where a point went low-rank.

    ratio: the routing ratio r, 0…1, that gave it. H and W are multiples of 8, as what lies in the
    padding of other sizes is routed too: pad them before the network does (by replication).
    Raises ValueError on other sizes.
    """
    height, width = confidence.shape[2:]
    if height % SCALE or width % SCALE:
        raise ValueError(f"sides that are multiples of {SCALE}, not {height} and {width}")
    maps = torch.empty_like(confidence, dtype=torch.bool)
    maps[:, 0::2] = _low_rank(confidence[:, 0::2], ratio)
    coarse = _low_rank(confidence[:, 1::2, ::SCALE, ::SCALE], ratio)
    maps[:, 1::2] = coarse.repeat_interleave(SCALE, 2).repeat_interleave(SCALE, 3)
    return maps


def _low_rank(confidence: Tensor, ratio: float) -> Tensor:
    """(N, M, h, w): whether a point is among its map's first by confidence."""
    height, width = confidence.shape[2:]
    rows, columns = low_rank_grid(height, width, ratio)
    maps = confidence.flatten(0, 1).flatten(1)
    first = torch.arange(maps.shape[1], device=maps.device) < rows * columns
    chosen = descending(maps).restore(first.expand(maps.shape)[..., None].float())
    return (chosen > 0).view(confidence.shape)
