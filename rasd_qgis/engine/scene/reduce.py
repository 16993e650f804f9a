"""Reduction: the pair one scale down, where the answer is known (Wald's protocol).

The guide is seen through the hyperspectral sensor, so both lie on the coarse grid; then both are
blurred and decimated once more by the ratio, block-centred. What the hyperspectral image shows
there is what a fusion of the reduced pair should have found. Large scenes are surveyed in blocks
spread evenly over them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...contract.errors import InputError
from ..rasters.fill import filled
from ..rasters.grid import Axis
from ..rasters.view import PairView
from ..sensors.observe import Observation, centred, seen
from .estimate import detail, hypersharpen, regression

# What all blocks of a survey may hold together.
SURVEY_BYTES = 256 * 2**20
# Side of a block, in coarse pixels.
BLOCK = 96
# The reduced coarse image keeps at least so many pixels a side: small scenes are reduced by less.
LEAST_SIDE = 4
# A coarse pixel counts where so much of what it sees of the guide is valid.
LEAST_SEEN = 0.99
# Ridges to choose from, in variances of a guide band: from none to one that halves a gain.
RIDGES = (1e-6, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Block:
    """A part of the scene on the coarse grid, in DN.

    bands: (B, h, w); guide: (b, h, w) as the hyperspectral sensor sees it; valid: (h, w). around:
    (3, 3, b, h, w), `Observation.down_around` of the guide, where it is wanted.
    """

    bands: Tensor
    guide: Tensor
    valid: Tensor
    around: Tensor | None = None


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


def survey(pair: PairView, sigma: float, around: bool = False) -> list[Block]:
    """Blocks of the scene, all of it where it is small; InputError where nothing is valid.

    around: whether the blocks show it, too.
    """
    height, width = pair.coarse_shape
    down, across = math.ceil(height / BLOCK), math.ceil(width / BLOCK)
    guides = 10 if around else 1
    bytes_a_block = 4 * BLOCK**2 * (pair.hs.count + guides * pair.ms.count)
    most = max(1, SURVEY_BYTES // bytes_a_block)
    chosen = np.linspace(0, down * across - 1, min(most, down * across)).round().astype(int)
    blocks = []
    for row, col in (divmod(int(index), across) for index in chosen):
        rows = row * height // down, (row + 1) * height // down
        cols = col * width // across, (col + 1) * width // across
        block = _block(pair, rows, cols, sigma, around)
        if block is not None and bool(block.valid.any()):
            blocks.append(block)
    if not blocks:
        raise InputError(
            "No pixel is valid in both layers at once.",
            "Check the nodata settings of both layers, and the extent.",
        )
    return blocks


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
    """How the block is seen one scale down, and its bands and guide without holes."""
    height, width = block.valid.shape
    row_axis, small_height = _reduced_axis(rows.ratio, height)
    col_axis, small_width = _reduced_axis(cols.ratio, width)
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


def _block(
    pair: PairView, rows: tuple[int, int], cols: tuple[int, int], sigma: float, around: bool
) -> Block | None:
    """The block of these coarse rows and columns; None where the guide has no pixel there."""
    span = seen(pair.rows, rows, pair.fine.height, sigma)
    across = seen(pair.cols, cols, pair.fine.width, sigma)
    if span[0] >= span[1] or across[0] >= across[1]:
        return None
    bands, bands_valid = pair.read_coarse(*rows, *cols)
    guide, guide_valid = map(torch.from_numpy, pair.read_fine(*span, *across))
    shape = bands_valid.shape
    row_axis, col_axis = pair.rows.local(span[0], rows[0]), pair.cols.local(across[0], cols[0])
    look = Observation.between(tuple(guide_valid.shape), shape, row_axis, col_axis, sigma)
    whole = look.down(guide_valid.float()) > LEAST_SEEN
    whole &= centred(row_axis, shape[0], guide_valid.shape[0])[:, None]
    whole &= centred(col_axis, shape[1], guide_valid.shape[1])
    guide = filled(guide, guide_valid)
    return Block(
        torch.from_numpy(bands),
        look.down(guide),
        torch.from_numpy(bands_valid) & whole,
        look.down_around(guide) if around else None,
    )
