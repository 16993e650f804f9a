"""Rank-1 terms that stop: up to K of them, until the residual of the points no longer falls.

Not in the product, which has a fixed K: models/README.md says what this was found to be worth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models import RASDFuNet
from ..models.low_rank import LowRank


class Stopping(LowRank):
    """The low-rank branch that leaves out the terms from the first that lowers nothing.

    kept: (N,) the terms of each sample at the last call; the first always counts.
    """

    kept: Tensor

    def _decompose(self, points: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        planes, colours = super()._decompose(points, grid)
        left = residuals(points, planes, colours)
        falls = left[:, 1:] < left[:, :-1]
        falls[:, 0] = True
        held = falls.cumprod(1)
        self.kept = held.sum(1)
        return planes, colours * held[:, :, None]


def residuals(points: Tensor, planes: Tensor, colours: Tensor) -> Tensor:
    """‖X - T_1 - … - T_k‖² of every sample for k = 0 … K: (N, K + 1).

    points: (N, n, C); planes: (N, K, n); colours: (N, K, C); T_k = plane_k ⊗ colour_k.
    """
    with torch.no_grad():
        whole = points.square().sum((1, 2))
        seen = torch.einsum("nkp,npc,nkc->nk", planes, points, colours)
        shared = (planes @ planes.transpose(1, 2)) * (colours @ colours.transpose(1, 2))
        # The sum over pairs of the first k terms is the k-th on the diagonal of both running sums.
        together = shared.cumsum(1).cumsum(2).diagonal(dim1=1, dim2=2)
        left = whole[:, None] - 2 * seen.cumsum(1) + together
        return torch.cat((whole[:, None], left), 1)


def put_into(network: RASDFuNet) -> list[Stopping]:
    """Let every low-rank branch of a network stop; the branches, with the weights they had."""
    branches = []
    for stage in network.stages:
        for part in (stage.fine, stage.coarse):
            branch = Stopping(network.config.channels, network.config.terms)
            branch.load_state_dict(part.low_rank.state_dict())
            part.low_rank = branch
            branches.append(branch)
    return branches
