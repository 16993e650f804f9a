"""The low-rank branch: the trusted points as a sum of K rank-1 terms, at almost no cost.

The points, in sorted order, stand on a pseudo-grid h × w. Each term is an outer product
v_h ⊗ v_w ⊗ v_c of the means of what the terms before it have left over, each refined by a few
weights; the terms, joined, scale the points.

No term is ever spread over the grid: a term is its plane (h, w) times its colour (C), so the means
of a residual, and the 1x1 convolution that joins the terms, are worked out on planes and colours.
The numbers are those of the written-out form (tests/models/test_low_rank.py holds them together).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import rank_terms
from .discriminator import SLOPE


class RankOneTerm(nn.Module):
    """One rank-1 term, from the means of a residual over each pair of its axes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = nn.Conv1d(1, 1, 3, padding=1)
        self.columns = nn.Conv1d(1, 1, 3, padding=1)
        self.colours = nn.Conv1d(1, 1, 3, padding=1)
        self.plane = nn.Sequential(
            nn.Conv2d(1, 1, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(1, 1, 3, padding=1)
        )
        self.colour = nn.Sequential(
            nn.Linear(channels, channels // 4),
            nn.LeakyReLU(SLOPE),
            nn.Linear(channels // 4, channels),
        )

    def forward(self, rows: Tensor, columns: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Means v_h (N, h), v_w (N, w), v_c (N, C) → the plane (N, h, w) and the colour (N, C)."""
        v_h = self.rows(rows[:, None])
        v_w = self.columns(columns[:, None])
        v_c = self.colours(colours[:, None])
        plane = self.plane(v_h[:, :, :, None] * v_w[:, :, None, :])
        return plane.squeeze(1), self.colour(v_c.squeeze(1))


class LowRank(nn.Module):
    """The branch of the cluster L: points in, the same points out, scaled by a low-rank model."""

    def __init__(self, channels: int, terms: int) -> None:
        super().__init__()
        self.terms = nn.ModuleList(RankOneTerm(channels) for _ in range(terms))
        self.join = nn.Linear(terms * channels, channels)

    def forward(self, points: Tensor, grid: tuple[int, int]) -> Tensor:
        """X_L (N, h·w, C), in sorted order, on its pseudo-grid (h, w); returns the same shape."""
        planes, colours = self._decompose(points, grid)
        joined = self.joined(colours)
        return points * torch.baddbmm(self.join.bias, planes.transpose(1, 2), joined)

    def joined(self, colours: Tensor) -> Tensor:
        """Each term's colour through its share of the join: (N, K, C) → the same shape.

        join(T_1 ‖ … ‖ T_K) = Σ plane_k ⊗ (join_k colour_k) + bias.
        """
        channels = colours.shape[-1]
        weight = self.join.weight.view(channels, len(self.terms), channels)
        return torch.einsum("okc,nkc->nko", weight, colours)

    def _decompose(self, points: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Planes (N, K, h·w) and colours (N, K, C), each from what those before it left."""
        cube = points.unflatten(1, grid)
        over_columns = cube.mean(2)
        return self.terms_of(over_columns.mean(2), cube.mean(1).mean(2), over_columns.mean(1))

    def terms_of(self, rows: Tensor, columns: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Planes (N, K, h·w) and colours (N, K, C) from the means (N, h), (N, w), (N, C) of X_L."""
        ours = all(type(term) is RankOneTerm for term in self.terms)
        if ours and rank_terms.usable(rows):
            weights = [weight for term in self.terms for weight in term.parameters()]
            return rank_terms.decomposed((rows, columns, colours), weights, len(self.terms))
        return self._terms_by_torch(rows, columns, colours)

    def _terms_by_torch(
        self, rows: Tensor, columns: Tensor, colours: Tensor
    ) -> tuple[Tensor, Tensor]:
        planes, shades = [], []
        for term in self.terms:
            plane, colour = term(rows, columns, colours)
            planes.append(plane.flatten(1))
            shades.append(colour)
            brightness = colour.mean(1, keepdim=True)
            rows = rows - plane.mean(2) * brightness
            columns = columns - plane.mean(1) * brightness
            colours = colours - plane.mean((1, 2))[:, None] * colour
        return torch.stack(planes, 1), torch.stack(shades, 1)
