"""The low-rank branch on the points themselves: the means of X_L, and X_L scaled by its model."""

from __future__ import annotations

from typing import Any

from numba import float32

from .compiling import compile_flat
from .vectors import LANES, floats, lane_sum, load, places, splat, store

ROWS = 8  # of the pseudo-grid in a task


def _average(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Sums of X_L over two of its axes each, those over the rows as this task's share.

    sizes: points of a sample, height, width of the pseudo-grid, channels, parts.
    indices: the order (N·P,).
    inputs: features (N, P, C), confidence (N, P). outputs: rows (N, h), columns (tasks, w), colours
    (tasks, C).
    """
    points, height, width, channels, parts = sizes
    (order,) = places(indices)
    features, confidence = floats(inputs)
    rows, columns, colours = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    for c in range(0, channels, LANES):
        store(colours, task * channels + c, splat(float32(0.0)))
    for x in range(width):
        columns[task * width + x] = float32(0.0)
    for y in range(part * ROWS, min(height, (part + 1) * ROWS)):
        row = float32(0.0)
        for x in range(width):
            p = order[sample * points + y * width + x]
            trust = splat(confidence[p])
            total = splat(float32(0.0))
            for c in range(0, channels, LANES):
                value = trust * load(features, p * channels + c)
                total = total + value
                store(colours, task * channels + c, load(colours, task * channels + c) + value)
            bright = lane_sum(total)
            row += bright
            columns[task * width + x] += bright
        rows[sample * height + y] = row


def _scale(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """X_L times its model: join's bias + Σ_k plane_k ⊗ joined_k.

    sizes: points of a sample, points n_L of its low-rank cluster, channels, terms, parts.
    indices: the order (N·P,). inputs: features, confidence, planes (N, K, n_L), joined (N, K, C).
    weights: the bias (C). outputs: the points (N, n_L, C), in sorted order.
    """
    points, count, channels, terms, parts = sizes
    (order,) = places(indices)
    features, confidence, planes, joined = floats(inputs)
    (bias,) = floats(weights)
    (out,) = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    span = (count + parts - 1) // parts
    for i in range(part * span, min(count, (part + 1) * span)):
        p = order[sample * points + i]
        trust = splat(confidence[p])
        for c in range(0, channels, LANES):
            model = load(bias, c)
            for k in range(terms):
                at = sample * terms + k
                model = model + splat(planes[at * count + i]) * load(joined, at * channels + c)
            value = trust * load(features, p * channels + c)
            store(out, (sample * count + i) * channels + c, value * model)


average = compile_flat(_average, sizes=5, indices=1, inputs=2, outputs=3)
scale = compile_flat(_scale, sizes=5, indices=1, inputs=4, weights=1, outputs=1)
