"""Registration: the guide moved by a part of a pixel to where the hyperspectral image lies.

Two sensors' pixels seldom agree to better than half a guide pixel, and a fusion pays for less. The
move is that under which the guide, seen as the hyperspectral sensor would, is best explained by the
hyperspectral image: Gauss and Newton's steps on the misfit's likelihood, as Lucas and Kanade (1981)
register images, with a normal prior about no move, so that few pixels move little.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..rasters.grid import Axis
from ..scene.agreement import LEAST_MISFIT, explaining
from ..scene.estimate import constant
from ..scene.survey import Block
from ..sensors.observe import cubic
from .samples import spread

# The prior's standard deviation, and the furthest move, in fine pixels.
USUAL, MOST = 0.3, 1.0
# A move below this changes nothing that anyone sees; without one nothing is interpolated.
LEAST = 0.05
ROUNDS = 4
# What a pixel counts, as neighbours' misfits are alike.
INDEPENDENT = 0.5


def registered(blocks: list[Block], good: Tensor) -> tuple[list[Block], Tensor]:
    """A survey with its guide moved, and the move: (2,), fine pixels down and right.

    The guide that belongs at a pixel is found so far from it. good: (B,) bool, bands that count.
    """
    shown = [(block, block.around) for block in spread(blocks) if block.around is not None]
    if not shown:
        return blocks, torch.zeros(2)
    bands = torch.cat([block.bands[:, block.valid] for block, _ in shown], 1).double()
    around = torch.cat([seen[..., block.valid] for block, seen in shown], 3).double()
    move = _best(explaining(bands[good]), around[:, :, ~constant(around[1, 1])])
    if not float(move.abs().max()) >= LEAST:
        return blocks, torch.zeros(2)
    return [placed(block, move) for block in blocks], move.float()


def placed(block: Block, move: Tensor) -> Block:
    """A survey's block with its guide moved by (2,), where it shows what is around."""
    if block.around is None or not bool(move.any()):
        return block
    return replace(block, guide=_between(block.around, move.to(block.around)))


def moved(image: Tensor, move: Tensor) -> Tensor:
    """An image (b, H, W) as it is found so many pixels (2,) further down and right; ends repeat."""
    if not bool(move.any()):
        return image
    rows, cols = (
        cubic(Axis(1.0, -float(by)), size, size).to(image)
        for by, size in zip(move, image.shape[1:])
    )
    return rows @ image @ cols.T


def _best(explaining: Tensor, around: Tensor) -> Tensor:
    """The move (2,) of a guide seen at whole pixels around, (3, 3, b, n)."""
    count, pixels = explaining.shape
    precision = torch.eye(2, dtype=around.dtype) / USUAL**2

    def unexplained(image: Tensor) -> Tensor:
        return image - (image @ explaining.T) @ explaining

    move = torch.zeros(2, dtype=around.dtype)
    for _ in range(ROUNDS):
        seen = _between(around, move)
        misfit = unexplained(seen)
        slopes = unexplained(_slopes(around, move))
        noise = misfit @ misfit.T / max(pixels - count, 1)
        varied = (seen - seen.mean(1, keepdim=True)).square().mean(1)
        noise.diagonal().add_(LEAST_MISFIT * varied)
        weighed = INDEPENDENT * torch.linalg.solve(noise, slopes)
        normal = torch.einsum("ibn,jbn->ij", weighed, slopes) + precision
        wanted = torch.einsum("ibn,bn->i", weighed, misfit) + precision @ move
        move = (move - torch.linalg.solve(normal, wanted)).clamp(-MOST, MOST)
    return move


def _between(around: Tensor, move: Tensor) -> Tensor:
    """(3, 3, …) → (…): what is seen at a part of a pixel, by a parabola an axis."""
    return torch.einsum("ij...,i,j->...", around, *map(_parabola, move))


def _slopes(around: Tensor, move: Tensor) -> Tensor:
    """(3, 3, …) → (2, …): how that changes by the pixel, down and right."""
    (down, right), (by_down, by_right) = map(_parabola, move), map(_change, move)
    return torch.stack(
        [
            torch.einsum("ij...,i,j->...", around, by_down, right),
            torch.einsum("ij...,i,j->...", around, down, by_right),
        ]
    )


def _parabola(at: Tensor) -> Tensor:
    """(3,): weights of the values at −1, 0 and 1."""
    return torch.stack((at * (at - 1) / 2, 1 - at**2, at * (at + 1) / 2))


def _change(at: Tensor) -> Tensor:
    """(3,): the derivatives of these."""
    return torch.stack((at - 0.5, -2 * at, at + 0.5))
