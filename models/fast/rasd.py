"""A RASD module by compiled kernels: discriminator, routing, low-rank branch, refinement."""

from __future__ import annotations

import torch
from torch import Tensor

from ..gradient import FLAT
from ..kernels import compiled, run
from ..routing import routed_grid
from .attention import Chosen, attended
from .order import ordered
from .weights import RASDWeights, taps

PART = 2048  # points of a task, where a kernel takes any number
FEW_ROWS = 128  # of a map whose refinement is cut small, lest a thread have nothing to do


def rasd(
    weights: RASDWeights, features: Tensor, ratio: float, auto: bool = False
) -> tuple[Tensor, Tensor]:
    """`RASD.forward`: features (N, H, W, C) → the same shape, and M (N, H, W)."""
    height, width = features.shape[1:3]
    confidence, span = _discerned(weights, features)
    grid = routed_grid(confidence, ratio, auto)
    count = grid[0] * grid[1]
    slots, chosen = _clusters(confidence.flatten(1), count)
    planes = joined = rest = features.new_empty(0)
    if count:
        planes, joined = _low_rank(weights, features, confidence, slots, grid)
    if count < height * width:
        rest = attended(weights, features, confidence, span, chosen)
    inputs = features, confidence, planes, joined, rest
    return _refined(weights, inputs, slots, count), confidence


def _clusters(confidence: Tensor, count: int) -> tuple[Tensor, Chosen]:
    """Where each point of the map lies in L's sorted list or, behind it, in N's; and N's points.

    confidence: (N, P); count: points n_L of a sample's low-rank cluster.
    """
    samples, points = confidence.shape
    order = ordered(confidence)
    slots = torch.empty_like(order.back)
    rows, ranks = (slots.new_empty(samples * (points - count)) for _ in range(2))
    run(
        compiled().part,
        samples,
        (points, count, samples),
        indices=(order.back, slots, rows, ranks),
    )
    return slots, Chosen(rows, ranks)


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
    weights: RASDWeights, features: Tensor, confidence: Tensor, slots: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The low-rank branch's planes (N, K, h·w) and joined colours (N, K, C)."""
    kernel, part = compiled(), weights.part.low_rank
    samples, height, width, channels = features.shape
    rows, columns = grid
    parts = -(-height * width // PART)
    sums = [features.new_empty(samples, parts, size) for size in (rows, columns, channels)]
    run(
        kernel.average,
        samples * parts,
        (height * width, rows, columns, channels, samples, parts),
        indices=(slots,),
        inputs=(features, confidence),
        outputs=tuple(sums),
    )
    counts = columns * channels, rows * channels, rows * columns
    planes, shades = part.terms_of(*(x.sum(1) / count for x, count in zip(sums, counts)))
    return planes, part.joined(shades).contiguous()


def _refined(weights: RASDWeights, inputs: tuple[Tensor, ...], slots: Tensor, count: int) -> Tensor:
    """Both clusters' points, which `slots` places, through `Refine.forward`, plus the features.

    inputs: features (N, H, W, C), confidence (N, H, W), planes and joined colours of the n_L
    points of L, the branch's output for N's (N·n, C).
    """
    kernel, features = compiled(), inputs[0]
    samples, height, width, channels = features.shape
    rows = kernel.ROWS if height <= FEW_ROWS else 4 * kernel.ROWS
    bands = -(-height // rows)
    terms = len(weights.part.low_rank.terms)
    out = torch.empty_like(features)
    run(
        kernel.refine,
        samples * bands,
        (height, width, channels, bands, rows, count, terms, samples),
        indices=(slots, taps(1)),
        inputs=inputs,
        weights=weights.refine,
        outputs=(out,),
        scratch=(2 * kernel.RING * width + kernel.BLOCK) * channels,
    )
    return out
