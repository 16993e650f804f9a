"""The low-rank branch on the points themselves: the means of X_L.

What its model does to them is done where they go back to their places (`grid.refine`).
"""

from __future__ import annotations

from typing import Any

from numba import float32

from .compiling import compile_flat
from .vectors import LANES, floats, lane_sum, load, places, splat, store


def _average(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Sums of X_L over two of its axes each, this task's share, point by point of the map.

    sizes: points of a sample, height, width of the pseudo-grid, channels, samples, parts.
    indices: slots (N·P,). inputs: features (N, P, C), confidence (N, P). outputs: rows (tasks, h),
    columns (tasks, w), colours (tasks, C).
    """
    points, height, width, channels, samples, parts = sizes
    (slots,) = places(indices)
    features, confidence = floats(inputs)
    rows, columns, colours = floats(outputs)
    sample, part = task // parts, task % parts
    span = (points + parts - 1) // parts
    for c in range(0, channels, LANES):
        store(colours, task * channels + c, splat(float32(0.0)))
    for y in range(height):
        rows[task * height + y] = float32(0.0)
    for x in range(width):
        columns[task * width + x] = float32(0.0)
    first = sample * points
    for p in range(first + part * span, first + min(points, (part + 1) * span)):
        place = slots[p] - sample * height * width
        if slots[p] < samples * height * width:
            trust = splat(confidence[p])
            total = splat(float32(0.0))
            for c in range(0, channels, LANES):
                value = trust * load(features, p * channels + c)
                total = total + value
                store(colours, task * channels + c, load(colours, task * channels + c) + value)
            bright = lane_sum(total)
            rows[task * height + place // width] += bright
            columns[task * width + place % width] += bright


average = compile_flat(_average, sizes=6, indices=1, inputs=2, outputs=3)
