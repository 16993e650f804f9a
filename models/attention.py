"""The efficient attention branch (LSEA): a selective scan over the points a low rank cannot hold.

The points go through the scan in an order that the branch learns; a spectral correlation S, taken
over all of them, mixes the channels before and after; the edges of the feature map weight the
result. Points are rows, (N, n, channels), from end to end; the scan reads them through a transposed
view.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .discriminator import SLOPE
from .gradient import GradientEmbedding
from .routing import descending
from .scan import selective_scan

DROPOUT = 0.3


class SpectralCorrelation(nn.Module):
    """The spectral correlation S of a set of points.

    The paper's Q and K are linear maps of the points, normalised over the points; all that S needs
    of them is K Qᵀ and the lengths, and both follow from the Gram matrix FᵀF alone.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, 2 * channels, bias=False)
        self.key = nn.Linear(channels, 2 * channels, bias=False)
        self.temperature = nn.Parameter(torch.ones(heads))

    def forward(self, points: Tensor) -> Tensor:
        """(N, n, C) → S (N, 2C, 2C), block-diagonal over the heads, each row summing to 1."""
        by_head = self.by_head(torch.bmm(points.transpose(1, 2), points))
        own = torch.eye(self.heads, dtype=points.dtype, device=points.device)
        return (by_head[:, :, :, None] * own[:, None, :, None]).flatten(3, 4).flatten(1, 2)

    def by_head(self, gram: Tensor) -> Tensor:
        """Gram matrices (N, C, C) of the points → S's blocks (N, heads, 2C / heads, 2C / heads)."""
        query, key = self._by_head(self.query), self._by_head(self.key)
        query_gram, key_gram = self._through(query, gram), self._through(key, gram)
        products = key_gram @ query.transpose(1, 2)
        lengths = _lengths(key_gram, key)[..., :, None] * _lengths(query_gram, query)[..., None, :]
        return torch.softmax(self.temperature[:, None, None] * products / lengths, -1)

    def _by_head(self, layer: nn.Linear) -> Tensor:
        """(heads, 2C / heads, C)."""
        return layer.weight.unflatten(0, (self.heads, -1))

    @staticmethod
    def _through(weight: Tensor, gram: Tensor) -> Tensor:
        """The product weight · gram of every sample and head: (N, heads, 2C / heads, C)."""
        return weight[None] @ gram[:, None]


def _lengths(weighted_gram: Tensor, weight: Tensor) -> Tensor:
    """Length of each mapped channel over the points: √diag(W G Wᵀ), (N, heads, 2C / heads)."""
    return (weighted_gram * weight).sum(-1).clamp_min(1e-24).sqrt()


class LearnedScan(nn.Module):
    """The selective scan and the weights that are its own.

    Step Δ, input B and output C of the scan are linear in u; what is scanned is S·u.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width, self.states, self.rank = 2 * channels, channels // 2, math.ceil(channels / 16)
        self.select = nn.Linear(width, self.rank + 2 * self.states, bias=False)
        self.step = nn.Linear(self.rank, width)
        self.a_log = nn.Parameter(torch.empty(width, self.states))
        self.skip = nn.Parameter(torch.empty(width))
        self.reset()

    def reset(self) -> None:
        """S4D-real: A = -(1 … S) for every channel; first steps log-uniform in [0.001, 0.1]."""
        with torch.no_grad():
            states = torch.arange(1, self.states + 1, dtype=self.a_log.dtype)
            self.a_log.copy_(states.log().expand_as(self.a_log))
            self.skip.fill_(1.0)
            nn.init.uniform_(self.step.weight, -(self.rank**-0.5), self.rank**-0.5)
            step = torch.empty_like(self.step.bias).uniform_(math.log(1e-3), math.log(1e-1)).exp()
            # the inverse of softplus
            self.step.bias.copy_(step + torch.log(-torch.expm1(-step)))

    def forward(self, u: Tensor, correlation: Tensor) -> Tensor:
        """Scan u (N, n, 2C), already in scan order, with S (N, 2C, 2C); returns u's shape."""
        step, b, c = self.select(u).split((self.rank, self.states, self.states), dim=-1)
        delta = F.linear(step, self.step.weight)
        u, delta, b, c = (x.transpose(1, 2) for x in (_mixed(correlation, u), delta, b, c))
        y = selective_scan(u, delta, -self.a_log.exp(), b, c, self.skip, self.step.bias)
        return y.transpose(1, 2)


class Attention(nn.Module):
    """The branch of the cluster N: points in, the same points out, attended."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        width = 2 * channels
        self.correlation = SpectralCorrelation(channels, heads)
        self.norm_in = nn.LayerNorm(channels)
        self.enter_u = nn.Linear(channels, width)
        self.enter_z = nn.Linear(channels, width)
        self.mix = nn.Linear(width, width)
        self.score = nn.Sequential(nn.Linear(width, 4), nn.LeakyReLU(SLOPE), nn.Linear(4, 1))
        self.scan = LearnedScan(channels)
        self.edges = GradientEmbedding(channels)
        self.norm_out = nn.LayerNorm(width)
        self.leave = nn.Linear(width, channels)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, plain: Tensor, points: Tensor, edges: Tensor) -> Tensor:
        """Attend the points X_N = ((1 - M)·F)[N], (N, n, C); returns their shape.

        plain: F[N], un-modulated, of the same shape; edges: (N, n, 2C), Sobel's at the points.
        """
        correlation = self.correlation(plain)
        normed = self.norm_in(points)
        u = F.silu(self.mix(self.enter_u(normed)))
        y = _mixed(correlation, self._scanned(u, correlation) * self.edges(edges))
        y = self.norm_out(y) * F.silu(self.enter_z(normed))
        return points + self.dropout(self.leave(y))

    def _scanned(self, u: Tensor, correlation: Tensor) -> Tensor:
        """The scan along the learned order, its output back in point order: (N, n, 2C)."""
        score = torch.sigmoid(self.score(u))
        order = descending(score.squeeze(-1))
        return order.restore(self.scan(order.sort(u * (1 + score)), correlation))


def _mixed(correlation: Tensor, points: Tensor) -> Tensor:
    """S · x of every point: (N, 2C, 2C) and (N, n, 2C) → (N, n, 2C)."""
    return torch.bmm(points, correlation.transpose(1, 2))
