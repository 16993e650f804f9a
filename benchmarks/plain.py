"""The network as its paper is written, in plain PyTorch: oracle and yardstick of the fast one.

Channels come first, 1x1 convolutions are convolutions, points are gathered and scattered by index,
Q and K are formed, rank-1 terms are spread out as outer products, and the scan is torch's. It works
on the weights of a `RASDFuNet`, so that values and gradients can be held together.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models import RASDFuNet
from ..models.attention import DROPOUT, Attention
from ..models.discriminator import SLOPE, Discriminator
from ..models.gradient import FLAT
from ..models.low_rank import LowRank, RankOneTerm
from ..models.multiscale import MultiScaleRASD
from ..models.rasd import RASD, Refine
from ..models.routing import low_rank_grid
from ..models.scan import blocked_scan


def plain_forward(net: RASDFuNet, start: Tensor, guide: Tensor, ratio: float) -> Tensor:
    """The fused image (N, B, H, W) of `net(start, guide, ratio)`; H and W multiples of 8."""
    features = _pointwise(torch.cat((start, guide), 1), net.enter)
    kept = [features]
    for stage in net.stages:
        features = _stage(stage, features, ratio)
        kept.append(features)
    # the weights of `reconstruct` name F_0 first
    return _pointwise(torch.cat(kept, 1), net.reconstruct) + start


def _stage(part: MultiScaleRASD, features: Tensor, ratio: float) -> Tensor:
    fine = _rasd(part.fine, features, ratio)
    coarse = _rasd(part.coarse, part.down(fine), ratio)
    raised = _pointwise(coarse, part.up)
    # the channels of `up` are row, column, channel; PixelShuffle wants channel, row, column
    raised = raised.unflatten(1, (64, -1)).transpose(1, 2).flatten(1, 2)
    return _pointwise(torch.cat((fine, F.pixel_shuffle(raised, 8)), 1), part.join)


def _rasd(part: RASD, features: Tensor, ratio: float) -> Tensor:
    channels, height, width = features.shape[1:]
    confidence = _discriminator(part.discriminator, features)
    rows, columns = low_rank_grid(height, width, ratio)
    order = torch.sort(confidence.flatten(1), dim=1, descending=True, stable=True).indices
    low, rest = order[:, : rows * columns], order[:, rows * columns :]
    weighted_low = _taken(confidence * features, low)
    weighted_rest = _taken((1 - confidence) * features, rest)
    restored = torch.zeros_like(features).flatten(2)
    if low.shape[1]:
        points = _low_rank(part.low_rank, weighted_low.unflatten(2, (rows, columns))).flatten(2)
        restored = restored.scatter(2, low[:, None].expand(-1, channels, -1), points)
    if rest.shape[1]:
        edges = _taken(_edges(features), rest)
        points = _attention(part.attention, _taken(features, rest), weighted_rest, edges)
        restored = restored.scatter(2, rest[:, None].expand(-1, channels, -1), points)
    return features + _refine(part.refine, restored.view_as(features), features)


def _taken(grid: Tensor, indices: Tensor) -> Tensor:
    """(N, C, H, W) at the points (N, n): (N, C, n)."""
    return grid.flatten(2).gather(2, indices[:, None].expand(-1, grid.shape[1], -1))


def _discriminator(part: Discriminator, features: Tensor) -> Tensor:
    detail = part.detail(F.leaky_relu(_pointwise(features, part.detail_in), SLOPE))
    context = F.leaky_relu(_pointwise(features, part.context_in), SLOPE)
    context = part.context_far(F.leaky_relu(part.context_near(context), SLOPE))
    joined = F.leaky_relu(part.join(torch.cat((detail, context), 1)), SLOPE)
    return torch.sigmoid(part.head(joined))


def _refine(part: Refine, restored: Tensor, features: Tensor) -> Tensor:
    x = F.leaky_relu(_pointwise(torch.cat((restored, features), 1), part.join), SLOPE)
    x = F.leaky_relu(part.near(x), SLOPE)
    return _pointwise(F.leaky_relu(part.far(x), SLOPE), part.leave)


def _low_rank(part: LowRank, grid: Tensor) -> Tensor:
    """X_L (N, C, h, w) on its pseudo-grid."""
    residual, terms = grid, []
    for term in part.terms:
        terms.append(_rank_one(term, residual))
        residual = residual - terms[-1]
    return grid * _pointwise(torch.cat(terms, 1), part.join)


def _rank_one(part: RankOneTerm, residual: Tensor) -> Tensor:
    v_h = part.rows(residual.mean((1, 3))[:, None])
    v_w = part.columns(residual.mean((1, 2))[:, None])
    v_c = part.colours(residual.mean((2, 3))[:, None])
    plane = part.plane(v_h[:, :, :, None] * v_w[:, :, None, :])
    return plane * part.colour(v_c[:, 0])[:, :, None, None]


def _edges(features: Tensor) -> Tensor:
    low, high = features.amin((2, 3), keepdim=True), features.amax((2, 3), keepdim=True)
    x = F.pad((features - low) / (high - low).clamp_min(FLAT), (1, 1, 1, 1), mode="replicate")
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).to(x) / 8
    kernels = [k.expand(x.shape[1], 1, 3, 3) for k in (across, across.T)]
    return torch.cat([F.conv2d(x, kernel, groups=x.shape[1]) for kernel in kernels], 1)


def _attention(part: Attention, plain: Tensor, points: Tensor, edges: Tensor) -> Tensor:
    """(N, C, n) each, the edges with 2C channels; returns (N, C, n)."""
    correlation = _correlation(part, plain)
    normed = part.norm_in(points.transpose(1, 2))
    u = F.silu(part.mix(part.enter_u(normed)))
    score = torch.sigmoid(part.score(u))
    order = torch.sort(score, dim=1, descending=True, stable=True).indices.expand_as(u)
    y = _scan(part, (u * (1 + score)).gather(1, order), correlation)
    y = torch.zeros_like(u).scatter(1, order, y.transpose(1, 2))
    y = y * part.edges.widen(F.leaky_relu(part.edges.narrow(edges.transpose(1, 2)), SLOPE))
    y = part.norm_out((correlation @ y.transpose(1, 2)).transpose(1, 2))
    y = part.leave(y * F.silu(part.enter_z(normed)))
    return points + F.dropout(y, DROPOUT, part.training).transpose(1, 2)


def _correlation(part: Attention, plain: Tensor) -> Tensor:
    """S, (N, 2C, 2C), from Q and K themselves."""
    spectral = part.correlation
    query, key = (
        F.normalize(layer(plain.transpose(1, 2)).transpose(1, 2), dim=2)
        for layer in (spectral.query, spectral.key)
    )
    query, key = (x.unflatten(1, (spectral.heads, -1)) for x in (query, key))
    products = spectral.temperature[:, None, None] * (key @ query.transpose(2, 3))
    return torch.stack([torch.block_diag(*heads) for heads in products.softmax(-1)])


def _scan(part: Attention, u: Tensor, correlation: Tensor) -> Tensor:
    """The points u (N, n, 2C) in scan order → the scan's output (N, 2C, n)."""
    scan = part.scan
    step, b, c = scan.select(u).split((scan.rank, scan.states, scan.states), dim=-1)
    delta = F.linear(step, scan.step.weight)
    mixed = correlation @ u.transpose(1, 2)
    delta, b, c = (x.transpose(1, 2).contiguous() for x in (delta, b, c))
    return blocked_scan(mixed, delta, -scan.a_log.exp(), b, c, scan.skip, scan.step.bias)


def _pointwise(x: Tensor, layer: nn.Linear) -> Tensor:
    """A linear map of the channels of (N, C, H, W) as the 1x1 convolution it is."""
    return F.conv2d(x, layer.weight[:, :, None, None], layer.bias)


def layer_operations(net: RASDFuNet, height: int, width: int, ratio: float) -> int:
    """Two operations for each multiply-add of the convolutions and linear layers as written here.

    Per sample, H and W multiples of 8. Matrix products with S and the scan are not counted.
    """
    points, coarse = height * width, height * width // 64
    total = sum(_weights(layer) for layer in (net.enter, net.reconstruct)) * points
    for stage in net.stages:
        total += _rasd_products(stage.fine, height, width, ratio)
        total += _rasd_products(stage.coarse, height // 8, width // 8, ratio)
        total += _weights(stage.down[0]) * points // 16 + _weights(stage.down[1]) * coarse
        total += _weights(stage.up) * coarse + _weights(stage.join) * points
    return 2 * total


def _weights(layer: nn.Module) -> int:
    return layer.weight.numel()


def _rasd_products(part: RASD, height: int, width: int, ratio: float) -> int:
    rows, columns = low_rank_grid(height, width, ratio)
    low, rest = rows * columns, height * width - rows * columns
    everywhere = [*part.discriminator.modules(), *part.refine.modules()]
    total = sum(_weights(x) for x in everywhere if isinstance(x, (nn.Linear, nn.Conv2d)))
    total *= height * width
    layers = [x for x in part.attention.modules() if isinstance(x, nn.Linear)]
    total += rest * sum(_weights(x) for x in layers)
    for term in part.low_rank.terms if low else ():
        total += low * sum(_weights(x) for x in term.plane if isinstance(x, nn.Conv2d))
        total += sum(_weights(x) for x in term.colour if isinstance(x, nn.Linear))
        total += 3 * (rows + columns + part.low_rank.join.out_features)
    return total + (low * _weights(part.low_rank.join) if low else 0)
