"""Proof: how far the network is to be followed on a pair, after what it does one scale down.

There the answer is known (Wald's protocol): the changes of its start would have served best
multiplied by some factor. That scale is not the pair's own, and it tends to ask for less (0.5 where
1.05 was best on EnMAP at x4, 0.6 for 1.0 on NEON's mosaic at x2; 0.04 for -0.17 on CAVE balloons at
x2), so half of its say is heard at most, and less where it has few pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..rasters.grid import Axis
from ..scene.network import FusedTile
from ..scene.survey import Block
from ..scene.tile import Tile
from .network import GeneralNetwork
from .registration import placed
from .samples import Lower, below, lower_of, spread
from .study import Study

# The share of what it asks for that is done, and the pixels at which that is halved.
MOST_SAY = 0.5
PRIOR_PIXELS = 300
RATIO = 0.5


def fitted(
    model: GeneralNetwork, blocks: list[Block], rows: Axis, cols: Axis, sigma: float, good: Tensor
) -> GeneralNetwork:
    """The network with its study of a pair's survey, and the factor of its changes found."""
    studied = replace(model, study=Study.of(blocks, rows, cols, sigma, good))
    trust = torch.tensor(proven(studied, blocks, rows, cols, sigma, good))
    return replace(model, study=replace(studied.fitted, trust=trust))


def fused_below(
    model: GeneralNetwork, blocks: list[Block], rows: Axis, cols: Axis, sigma: float, good: Tensor
) -> Iterator[tuple[Lower, FusedTile]]:
    """A survey's blocks one scale down, and what the network makes of them there."""
    lower = lower_of(blocks, rows, cols, sigma)
    study = Study.of(below(lower), rows, cols, sigma, good)
    reduced = GeneralNetwork(model.network, model.calibration, study)
    for part in lower:
        whole = [torch.ones(i.shape[1:], dtype=torch.bool) for i in (part.guide, part.bands)]
        with torch.inference_mode():
            yield part, reduced.fuse(Tile(part.guide, part.bands, part.look, *whole), RATIO)


def proven(
    model: GeneralNetwork, blocks: list[Block], rows: Axis, cols: Axis, sigma: float, good: Tensor
) -> float:
    """The factor, 0…1, of the changes of a network that has its study of the pair."""
    lying = [placed(block, model.fitted.move) for block in spread(blocks)]
    served, spent, pixels = 0.0, 1e-30, 0
    unit = model.fitted.unit[:, None]
    for part, fused in fused_below(model, lying, rows, cols, sigma, good):
        change = (fused.bands - fused.start)[:, part.valid] / unit
        missing = (part.truth - fused.start)[:, part.valid] / unit
        served += float((missing * change).sum())
        spent += float(change.square().sum())
        pixels += int(part.valid.sum())
    best = min(max(served / spent, 0.0), 1.0)
    return 1 - MOST_SAY * pixels / (pixels + PRIOR_PIXELS) * (1 - best)
