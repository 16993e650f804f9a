"""The attention branch by compiled kernels, from the feature map to the branch's output."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..kernels import compiled, run
from ..scan import selective_scan
from .order import ordered
from .weights import RASDWeights


class Chosen(NamedTuple):
    """The points of the cluster N.

    rows: (N·n,) of the map, ascending. ranks: (N·n,) the place in `rows` of each point by
    descending confidence: points of one score are scanned in that order.
    """

    rows: Tensor
    ranks: Tensor


def attended(
    weights: RASDWeights, features: Tensor, confidence: Tensor, span: Tensor, chosen: Chosen
) -> Tensor:
    """The branch's output (N, n, C), a row for each of `chosen.rows`.

    features: (N, H, W, C); confidence: (N, H, W); span: (N, C), the channels' ranges.
    """
    samples = features.shape[0]
    shape = (samples, chosen.rows.numel() // samples)
    u, score, gram = _enter(weights, features, confidence, chosen.rows, shape)
    # S acts on rows, so the kernels want its transpose
    mixing = weights.part.attention.correlation.by_head(gram).transpose(2, 3).contiguous()
    order = ordered(score, chosen.ranks)
    y = _scanned(weights, u, mixing, order.there)
    del u
    return _leave(
        weights, (features, confidence, y, mixing, 1 / (8 * span)), chosen.rows, order.back
    )


def _enter(
    weights: RASDWeights, features: Tensor, confidence: Tensor, rows: Tensor, shape: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    kernel, channels = compiled(), features.shape[-1]
    samples, count = shape
    parts = -(-count // kernel.PART)
    u = features.new_empty(samples, count, 2 * channels)
    score = features.new_empty(shape)
    gram = features.new_zeros(samples, parts, channels, channels)
    run(
        kernel.enter,
        samples * parts,
        (count, channels, parts),
        indices=(rows,),
        inputs=(features, confidence),
        weights=weights.enter,
        outputs=(u, score, gram),
        scratch=kernel.BLOCK * (2 * channels + kernel.LANES) + channels,
    )
    return u, score, gram.sum(1)


def _scanned(weights: RASDWeights, u: Tensor, mixing: Tensor, there: Tensor) -> Tensor:
    kernel, scan = compiled(), weights.part.attention.scan
    samples, count, width = u.shape
    parts, heads = -(-count // kernel.PART), mixing.shape[1]
    scanned, delta = torch.empty_like(u), torch.empty_like(u)
    b, c = (u.new_empty(samples, count, scan.states) for _ in range(2))
    run(
        kernel.select,
        samples * parts,
        (count, width // 2, parts, heads, scan.rank),
        indices=(there,),
        inputs=(u, mixing),
        weights=weights.select,
        outputs=(scanned, delta, b, c),
        scratch=kernel.BLOCK * (width + width // 2 + kernel.LANES),
    )
    scanned, delta, b, c = (x.transpose(1, 2) for x in (scanned, delta, b, c))
    y = selective_scan(scanned, delta, weights.decay, b, c, scan.skip, scan.step.bias)
    # As it stands for the compiled scan; the others write channels first.
    return y.transpose(1, 2).contiguous()


def _leave(weights: RASDWeights, inputs: tuple[Tensor, ...], rows: Tensor, back: Tensor) -> Tensor:
    kernel = compiled()
    features, _, y, mixing, _ = inputs
    samples, height, width, channels = features.shape
    count, heads = y.shape[1], mixing.shape[1]
    parts = -(-count // kernel.PART)
    out = features.new_empty(samples, count, channels)
    run(
        kernel.leave,
        samples * parts,
        (height, width, count, channels, parts, heads),
        indices=(rows, back),
        inputs=inputs,
        weights=weights.leave,
        outputs=(out,),
        scratch=kernel.BLOCK * 10 * channels,
    )
    return out
