"""Survey: blocks of a scene spread evenly over it, all of it where it is small, on the coarse grid.

What is fitted to a pair is fitted to its survey: the hyperspectral image beside the guide as the
hyperspectral sensor sees it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...contract.errors import InputError
from ..rasters.fill import filled
from ..rasters.grid import Axis
from ..rasters.view import PairView
from ..sensors.observe import Observation, centred, seen

# What all blocks of a survey may hold together.
SURVEY_BYTES = 256 * 2**20
# Side of a block, in coarse pixels.
BLOCK = 96
# A coarse pixel counts where so much of what it sees of the guide is valid.
LEAST_SEEN = 0.99


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
class View:
    """A part of the scene as it was read, in DN, and where each image is valid.

    bands: (B, h, w), bands_valid: (h, w); guide: (b, H, W) without holes, guide_valid: (H, W).
    rows, cols: from the one to the other.
    """

    bands: Tensor
    bands_valid: Tensor
    guide: Tensor
    guide_valid: Tensor
    rows: Axis
    cols: Axis

    def through(self, sigma: float, around: bool = False) -> Block:
        """As a sensor of this PSF sees it: sigma in coarse pixels, at most that it was read for.

        around: whether the block shows it, too.
        """
        fine, coarse = self.guide_valid.shape, self.bands_valid.shape
        look = Observation.between(tuple(fine), tuple(coarse), self.rows, self.cols, sigma)
        valid = self.bands_valid & (look.down(self.guide_valid.float()) > LEAST_SEEN)
        valid &= centred(self.rows, coarse[0], fine[0])[:, None]
        valid &= centred(self.cols, coarse[1], fine[1])
        shown = look.down_around(self.guide) if around else None
        guide = look.down(self.guide) if shown is None else shown[1, 1]
        return Block(self.bands, guide, valid, shown)


def survey(pair: PairView, sigma: float, around: bool = False) -> list[Block]:
    """Blocks of the scene; InputError where nothing is valid.

    sigma: of the PSF, coarse pixels; around: whether the blocks show it, too.
    """
    guides = 10 if around else 1
    bytes_a_block = 4 * BLOCK**2 * (pair.hs.count + guides * pair.ms.count)
    most = max(1, SURVEY_BYTES // bytes_a_block)
    blocks = [view.through(sigma, around) for view in views(pair, sigma, most)]
    blocks = [block for block in blocks if bool(block.valid.any())]
    if not blocks:
        raise InputError(
            "No pixel is valid in both layers at once.",
            "Check the nodata settings of both layers, and the extent.",
        )
    return blocks


def views(pair: PairView, sigma: float, most: int) -> Iterator[View]:
    """At most so many parts of the scene, read for a PSF no wider than sigma (coarse pixels)."""
    height, width = pair.coarse_shape
    down, across = math.ceil(height / BLOCK), math.ceil(width / BLOCK)
    chosen = np.linspace(0, down * across - 1, min(most, down * across)).round().astype(int)
    for row, col in (divmod(int(index), across) for index in chosen):
        rows = row * height // down, (row + 1) * height // down
        cols = col * width // across, (col + 1) * width // across
        view = _view(pair, rows, cols, sigma)
        if view is not None:
            yield view


def _view(
    pair: PairView, rows: tuple[int, int], cols: tuple[int, int], sigma: float
) -> View | None:
    """What lies at these coarse rows and columns; None where the guide has no pixel there."""
    span = seen(pair.rows, rows, pair.fine.height, sigma)
    across = seen(pair.cols, cols, pair.fine.width, sigma)
    if span[0] >= span[1] or across[0] >= across[1]:
        return None
    bands, bands_valid = map(torch.from_numpy, pair.read_coarse(*rows, *cols))
    guide, guide_valid = map(torch.from_numpy, pair.read_fine(*span, *across))
    row_axis, col_axis = pair.rows.local(span[0], rows[0]), pair.cols.local(across[0], cols[0])
    guide = filled(guide, guide_valid)
    return View(bands, bands_valid, guide, guide_valid, row_axis, col_axis)
