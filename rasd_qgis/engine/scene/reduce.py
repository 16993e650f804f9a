"""Reduction: the pair one scale down, where the answer is known (Wald's protocol).

The guide is seen through the hyperspectral sensor, so both lie on the coarse grid; then both are
blurred and decimated once more by the ratio, block-centred. What the hyperspectral image shows
there is what a fusion of the reduced pair should have found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..rasters.fill import filled
from ..rasters.grid import Axis
from ..sensors.observe import DEFAULT_SIGMA, Observation
from .estimate import detail, hypersharpen, regression
from .survey import Block

# The reduced coarse image keeps at least so many pixels a side: small scenes are reduced by less.
LEAST_SIDE = 4
# Ridges to choose from, in variances of a guide band: from none to one that halves a gain.
RIDGES = (1e-6, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Reduced:
    """A block and what fusion of the block, reduced, starts from; all on the coarse grid, in DN.

    target: (B, h, w), the hyperspectral image; start: its closed-form estimate; guide, detail:
    (b, h, w); valid: (h, w).
    """

    target: Tensor
    start: Tensor
    guide: Tensor
    detail: Tensor
    valid: Tensor


def gains(blocks: list[Block], rows: Axis, cols: Axis, sigma: float, good: Tensor) -> Tensor:
    """Regression gains (b, B) of the bands on the guide over a survey; none for bad bands.

    Of some ridges, that one is taken which, fitted another scale further down, predicted the detail
    of this scale best: two real sensors agree less on detail than on the coarse image, and gains
    that ignore it inject what is not there.
    """
    lessons = [_detail_lesson(block, rows, cols, sigma) for block in blocks]
    coarse_guide, coarse_bands, fine_guide, fine_bands = (
        torch.cat(samples, 1) for samples in zip(*lessons)
    )
    varying = good & (fine_bands.std(1, correction=0) > 0)

    def miss(ridge: float) -> float:
        tried = regression(coarse_guide, coarse_bands, ridge)
        error = (fine_bands - tried.T @ fine_guide)[varying].square().mean(1)
        return float(error.clamp_min(1e-30).log().mean())

    guide = torch.cat([block.guide[:, block.valid] for block in blocks], 1)
    bands = torch.cat([block.bands[:, block.valid] for block in blocks], 1)
    return regression(guide, bands, min(RIDGES, key=miss)) * good


def reduce(block: Block, rows: Axis, cols: Axis, sigma: float, gains: Tensor) -> Reduced:
    """The block, reduced by the ratio of the pair, or less where it is too small for that."""
    look, bands, guide = reduction(block, rows, cols, sigma)
    fine_detail = detail(guide, look)
    start = hypersharpen(look.down(bands), fine_detail, gains, look)
    return Reduced(bands, start, guide, fine_detail, block.valid)


def reduction(
    block: Block, rows: Axis, cols: Axis, sigma: float
) -> tuple[Observation, Tensor, Tensor]:
    """How the block is seen one scale down, and its bands and guide without holes.

    The PSF is a pixel wide at least, so that also a reduction by little loses what can be learnt.
    """
    height, width = block.valid.shape
    row_axis, small_height = _reduced_axis(rows.ratio, height)
    col_axis, small_width = _reduced_axis(cols.ratio, width)
    sigma = max(sigma, DEFAULT_SIGMA / min(row_axis.ratio, col_axis.ratio))
    look = Observation.between(
        (height, width), (small_height, small_width), row_axis, col_axis, sigma
    )
    return look, filled(block.bands, block.valid), filled(block.guide, block.valid)


def _detail_lesson(
    block: Block, rows: Axis, cols: Axis, sigma: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Guide and bands one scale down, and the details of both at this scale, as samples."""
    look, bands, guide = reduction(block, rows, cols, sigma)
    small = look.down(bands)
    details = detail(guide, look), bands - look.up(small)
    return (
        look.down(guide).flatten(1),
        small.flatten(1),
        *(image[:, block.valid] for image in details),
    )


def _reduced_axis(ratio: float, size: int) -> tuple[Axis, int]:
    """The axis of the reduced image, centred on `size` pixels, and its own size."""
    ratio = max(1.0, min(ratio, size / LEAST_SIDE))
    small = max(1, math.floor(size / ratio + 1e-6))
    return Axis(ratio, (size - small * ratio) / 2), small
