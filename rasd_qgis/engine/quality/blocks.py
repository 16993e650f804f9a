"""Blocks: figures that look at a scene in squares that do not overlap: Q2ⁿ, and QNR's Q.

All of them need of a block no more than the means and covariances of its bands, so one matrix
product a block serves every pair of bands. A block is weighed by its valid pixels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# Side of a block in fine pixels, as usual for these figures.
SIDE = 32
# What one float64 image of a window may hold; a few such images are in memory at a time.
WINDOW_BYTES = 32 * 2**20
# A variance below this share of the squared mean is rounding of float64: the band is constant.
_ROUNDING = 1e-24


def window_side(bands: int, side: int = SIDE) -> int:
    """Side of the windows in which so many bands are worked on: whole blocks of `side` pixels."""
    most = math.isqrt(WINDOW_BYTES // (8 * bands))
    return max(1, min(most, 8 * SIDE) // side) * side


class Block(NamedTuple):
    """pixels: how many are valid; means: (n,); covariances: (n, n); of n bands."""

    pixels: int
    means: Tensor
    covariances: Tensor


def blocks(image: Tensor, valid: Tensor, side: int) -> Iterator[Block]:
    """The blocks of an image (n, h, w) that hold two valid pixels or more."""
    for row in range(0, valid.shape[0], side):
        for col in range(0, valid.shape[1], side):
            part = slice(row, row + side), slice(col, col + side)
            samples = image[:, part[0], part[1]][:, valid[part]].double()
            count = samples.shape[1]
            if count < 2:
                continue
            means = samples.mean(1)
            samples = samples - means[:, None]
            covariances = samples @ samples.T / count
            varies = covariances.diagonal() > _ROUNDING * means.square()
            yield Block(count, means, covariances * torch.outer(varies, varies))


class PairwiseQ:
    """The mean Q (Wang and Bovik 2002) of every pair of n bands; `add` blocks in any order.

    Q = 2 μ_a μ_b / (μ_a² + μ_b²) · 2 σ_ab / (σ_a² + σ_b²); a ratio of zeros counts as 1.
    """

    def __init__(self, bands: int) -> None:
        self._sum = torch.zeros(bands, bands, dtype=torch.float64)
        self.pixels = 0

    def add(self, image: Tensor, valid: Tensor, side: int) -> None:
        """Count the blocks of an image (n, h, w)."""
        for block in blocks(image, valid, side):
            luminance = _ratio(torch.outer(block.means, block.means), block.means.square())
            structure = _ratio(block.covariances, block.covariances.diagonal())
            self._sum += block.pixels * luminance * structure
            self.pixels += block.pixels

    @property
    def mean(self) -> Tensor:
        """(n, n); zeros where nothing was added."""
        return self._sum / max(self.pixels, 1)


class HypercomplexQ:
    """Q2ⁿ: Q of all bands at once, a pixel's spectrum taken for one hypercomplex number.

    Garzelli and Nencini, *Hypercomplex quality assessment of multi/hyperspectral images*, 2009, on
    values as they are, not standardised by block. Bands are filled up with zeros to a power of two.
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self.pixels = 0

    def add(self, fused: Tensor, reference: Tensor, valid: Tensor, side: int = SIDE) -> None:
        """Count the blocks of two images (bands, h, w)."""
        bands = len(fused)
        for block in blocks(torch.cat((fused, reference)), valid, side):
            mean_f, mean_r = block.means[:bands].norm(), block.means[bands:].norm()
            spread = block.covariances.diagonal().sum()
            shared = hypercomplex_modulus(block.covariances[:bands, bands:])
            luminance = _one(2 * mean_f * mean_r, mean_f.square() + mean_r.square())
            self._sum += block.pixels * luminance * _one(2 * shared, spread)
            self.pixels += block.pixels

    @property
    def mean(self) -> float | None:
        """0…1; None where nothing was added."""
        return self._sum / self.pixels if self.pixels else None


def hypercomplex_modulus(covariances: Tensor) -> Tensor:
    """|E[(z − z̄)(w − w̄)*]| of two hypercomplex numbers whose parts covary like this (n, n).

    In a Cayley–Dickson algebra e_i · e_j = ± e_(i xor j), so part k of the product sums the entries
    (i, i xor k), each with its sign.
    """
    bands = len(covariances)
    size = 1 << (bands - 1).bit_length()
    padded = torch.zeros(size, size, dtype=covariances.dtype)
    padded[:bands, :bands] = covariances
    index = torch.arange(size)
    other = index[:, None] ^ index
    return (padded * _signs(size)).gather(1, other).sum(0).norm()


@functools.lru_cache(maxsize=4)
def _signs(size: int) -> Tensor:
    """(size, size): the sign of e_i · e_j*, by the doubling (a, b)(c, d) = (ac − d*b, da + bc*)."""
    signs = torch.ones(1, 1, dtype=torch.float64)
    conjugate = torch.ones(1, dtype=torch.float64)
    while len(signs) < size:
        upper = torch.cat((signs, signs.T), 1)
        lower = torch.cat((signs * conjugate, -signs.T * conjugate), 1)
        signs = torch.cat((upper, lower))
        conjugate = torch.cat((conjugate, -torch.ones_like(conjugate)))
    return signs * conjugate


def distortions(fine: Tensor, coarse: Tensor, bands: int) -> tuple[float, float]:
    """D_λ and D_s from the pairwise Q of fused bands and guide (n, n), and of the inputs (n, n).

    The first `bands` of n are hyperspectral, the others the guide's. Alparone et al. 2008 with
    p = q = 1; as the guide has more than one band, D_s is the mean over all pairs of a
    hyperspectral and a guide band.
    """
    change = (fine - coarse).abs()
    among, across = change[:bands, :bands], change[:bands, bands:]
    pairs = bands * (bands - 1)
    spectral = float(among.sum() - among.diagonal().sum()) / pairs if pairs else 0.0
    return spectral, float(across.mean())


def qnr(spectral: float, spatial: float) -> float:
    """(1 − D_λ)(1 − D_s), either factor no less than 0."""
    return max(0.0, 1.0 - spectral) * max(0.0, 1.0 - spatial)


def _ratio(products: Tensor, squares: Tensor) -> Tensor:
    """2 products (n, n) over the sums of two squares (n,); 1 where these are zero."""
    sums = squares[:, None] + squares
    return torch.where(sums > 0, 2 * products / torch.where(sums > 0, sums, 1.0), 1.0)


def _one(above: Tensor, below: Tensor) -> float:
    return float(above / below) if below > 0 else 1.0
