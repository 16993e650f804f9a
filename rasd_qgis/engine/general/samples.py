"""Samples: what a survey of a pair shows to those who fit anything to it, at two scales.

A `Level` is the pair at one scale as samples of pixels. The survey's own level is the coarse image
beside the guide as the hyperspectral sensor sees it; the one below has both blurred and decimated
once more, where the survey's image is what should be found (Wald's protocol).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..rasters.fill import filled
from ..rasters.grid import Axis
from ..scene.estimate import constant, detail
from ..scene.reduce import reduction
from ..scene.survey import Block
from ..sensors.observe import Observation

# Blocks of a survey that are fitted to: 70 000 pixels are enough for every figure here.
MOST_BLOCKS = 8


@dataclass(frozen=True)
class Level:
    """bands: (B, n) and guide: (b, n), float64, in DN; lost: (B, n), of the bands what blurring and
    decimating once more, and interpolation, lose.
    """

    bands: Tensor
    guide: Tensor
    lost: Tensor

    @property
    def varied_guide(self) -> Tensor:
        """(b, n): the guide about its mean; zero where a band does not vary but by rounding."""
        centred = self.guide - self.guide.mean(1, keepdim=True)
        return centred.masked_fill(constant(self.guide)[:, None], 0.0)


@dataclass(frozen=True)
class Lower:
    """A block and the same reduced. truth: (B, h, w), valid: (h, w), guide: (b, h, w), on the
    block's grid; bands: (B, h', w') on the reduced one; look: between the two.
    """

    truth: Tensor
    valid: Tensor
    guide: Tensor
    bands: Tensor
    look: Observation


def spread(blocks: list[Block]) -> list[Block]:
    """At most MOST_BLOCKS of them, spread evenly."""
    count = min(len(blocks), MOST_BLOCKS)
    chosen = torch.linspace(0, len(blocks) - 1, count).round().long().tolist()
    return [blocks[index] for index in chosen]


def level_of(blocks: list[Block], rows: Axis, cols: Axis, sigma: float) -> Level:
    """The level of these blocks; axes and PSF (coarse pixels) as between the pair's own grids."""
    parts = []
    for block in blocks:
        look, bands, guide = reduction(block, rows, cols, sigma)
        lost = detail(bands, look)
        parts.append([image[:, block.valid].double() for image in (bands, guide, lost)])
    return Level(*(torch.cat(part, 1) for part in zip(*parts)))


def lower_of(blocks: list[Block], rows: Axis, cols: Axis, sigma: float) -> list[Lower]:
    """The blocks, reduced."""
    found = []
    for block in blocks:
        look, bands, guide = reduction(block, rows, cols, sigma)
        found.append(Lower(bands, block.valid, guide, look.down(bands), look))
    return found


def below(lower: list[Lower]) -> list[Block]:
    """The reduced blocks as blocks of a survey: the bands beside the guide, seen at their scale."""
    blocks = []
    for part in lower:
        valid = part.look.down(part.valid.float()) > 0.5
        if not bool(valid.any()):
            valid = torch.ones_like(valid)
        guide = part.look.down(filled(part.guide, part.valid))
        blocks.append(Block(part.bands, guide, valid))
    return blocks
