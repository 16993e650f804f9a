"""A RASD module by compiled kernels: discriminator, routing, low-rank branch, refinement."""

from __future__ import annotations

import torch
from torch import Tensor

from ..gradient import FLAT
from ..kernels import compiled, run
from ..routing import Permutation, descending, routed_grid
from .attention import Chosen, attended
from .weights import RASDWeights, taps

PART = 2048  # points of a task, where a kernel takes any number


def rasd(
    weights: RASDWeights, features: Tensor, ratio: float, auto: bool = False
) -> tuple[Tensor, Tensor]:
    """`RASD.forward`: features (N, H, W, C) → the same shape, and M (N, H, W)."""
    samples, height, width, _ = features.shape
    confidence, span = _discerned(weights, features)
    grid = routed_grid(confidence, ratio, auto)
    count = grid[0] * grid[1]
    order = descending(confidence.flatten(1))
    slots, chosen = _clusters(order, samples, count)
    low = rest = features.new_empty(0)
    if count:
        low = _low_rank(weights, features, confidence, order.there, grid)
    if count < height * width:
        rest = attended(weights, features, confidence, span, chosen)
    return _refined(weights, (low, rest, features), slots, samples * count), confidence


def _clusters(order: Permutation, samples: int, count: int) -> tuple[Tensor, Chosen]:
    """Where each point of the map lies in L's sorted list or, behind it, in N's; and N's points."""
    there = order.there.view(samples, -1)
    low, rest = there[:, :count].flatten(), there[:, count:].flatten()
    slots = torch.full_like(order.there, -1)
    slots[low] = torch.arange(low.numel())
    rows = (slots < 0).nonzero().squeeze(1)
    slots[rows] = torch.arange(low.numel(), slots.numel())
    return slots, Chosen(rows, slots[rest] - low.numel())


def _discerned(weights: RASDWeights, features: Tensor) -> tuple[Tensor, Tensor]:
    """M (N, H, W), and each channel's range (N, C), which the same pass over the map finds."""
    kernel = compiled()
    samples, height, width, channels = features.shape
    parts, bands = -(-height * width // PART), -(-height // kernel.ROWS)
    hidden = features.new_empty(samples, height, width, kernel.LANES)
    least, greatest = (features.new_empty(samples, parts, channels) for _ in range(2))
    run(
        kernel.discern,
        samples * parts,
        (height * width, channels, parts),
        inputs=(features,),
        weights=weights.discern,
        outputs=(hidden, least, greatest),
    )
    near = _convolved(hidden, weights.near, taps(1, 2))
    confidence = features.new_empty(samples, height, width)
    run(
        kernel.confide,
        samples * bands,
        (height, width, bands, len(taps(2))),
        indices=(taps(2),),
        inputs=(near,),
        weights=weights.confide,
        outputs=(confidence,),
        scratch=2 * kernel.BLOCK * kernel.LANES,
    )
    return confidence, (greatest.amax(1) - least.amin(1)).clamp_min(FLAT)


def _convolved(x: Tensor, weights: tuple[Tensor, ...], places: Tensor) -> Tensor:
    """A depthwise convolution of (N, H, W, C), its bias and LeakyReLU."""
    kernel = compiled()
    samples, height, width, channels = x.shape
    bands = -(-height // kernel.ROWS)
    out = torch.empty_like(x)
    run(
        kernel.convolve,
        samples * bands,
        (height, width, channels, bands, len(places)),
        indices=(places,),
        inputs=(x,),
        weights=weights,
        outputs=(out,),
    )
    return out


def _low_rank(
    weights: RASDWeights, features: Tensor, confidence: Tensor, there: Tensor, grid: tuple[int, int]
) -> Tensor:
    """The low-rank branch's output (N, h·w, C), in sorted order."""
    kernel, part = compiled(), weights.part.low_rank
    samples, height, width, channels = features.shape
    rows, columns = grid
    count, parts = rows * columns, -(-rows // kernel.ROWS)
    over_rows = features.new_empty(samples, rows)
    over_columns = features.new_empty(samples, parts, columns)
    colours = features.new_empty(samples, parts, channels)
    run(
        kernel.average,
        samples * parts,
        (height * width, rows, columns, channels, parts),
        indices=(there,),
        inputs=(features, confidence),
        outputs=(over_rows, over_columns, colours),
    )
    means = over_rows / (columns * channels), over_columns.sum(1) / (rows * channels)
    planes, shades = part.terms_of(*means, colours.sum(1) / count)
    parts = -(-count // PART)
    out = features.new_empty(samples, count, channels)
    run(
        kernel.scale,
        samples * parts,
        (height * width, count, channels, len(part.terms), parts),
        indices=(there,),
        inputs=(features, confidence, planes, part.joined(shades).contiguous()),
        weights=(part.join.bias,),
        outputs=(out,),
    )
    return out


def _refined(
    weights: RASDWeights, inputs: tuple[Tensor, Tensor, Tensor], slots: Tensor, lows: int
) -> Tensor:
    """`Refine.forward` of both clusters' points, which `slots` places, plus the features."""
    kernel, features = compiled(), inputs[2]
    samples, height, width, channels = features.shape
    parts, bands = -(-height * width // PART), -(-height // kernel.ROWS)
    joined = torch.empty_like(features)
    run(
        kernel.rejoin,
        samples * parts,
        (height * width, channels, lows, parts),
        indices=(slots,),
        inputs=inputs,
        weights=weights.rejoin,
        outputs=(joined,),
        scratch=kernel.BLOCK * channels,
    )
    near = _convolved(joined, weights.convolve, taps(1))
    # read by now, and as large as what is wanted
    out = joined
    run(
        kernel.refine,
        samples * bands,
        (height, width, channels, bands, len(taps(1))),
        indices=(taps(1),),
        inputs=(near, features),
        weights=weights.refine,
        outputs=(out,),
        scratch=kernel.BLOCK * channels,
    )
    return out
