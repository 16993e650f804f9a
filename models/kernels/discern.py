"""The discriminator, both of its branches side by side in one vector of channels."""

from __future__ import annotations

import math
from typing import Any

from numba import float32

from .compiling import compile_flat
from .grid import BLOCK, ROWS, stencil
from .product import add_product
from .rows import graded, leaky, repeat_row
from .vectors import LANES, floats, larger, load, places, smaller, splat, store


def _discern(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """The discriminator's two 1x1 convolutions and each channel's least and greatest value."""
    points, channels, parts = sizes
    (features,) = floats(inputs)
    to_hidden, bias = floats(weights)
    hidden, least, greatest = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    span = (points + parts - 1) // parts
    first, last = part * span, min(points, (part + 1) * span)
    for c in range(0, channels, LANES):
        low, high = splat(float32(math.inf)), splat(float32(-math.inf))
        for p in range(sample * points + first, sample * points + last):
            value = load(features, p * channels + c)
            low, high = smaller(value, low), larger(value, high)
        store(least, task * channels + c, low)
        store(greatest, task * channels + c, high)
    for start in range(first, last, BLOCK):
        here = min(BLOCK, last - start)
        p = sample * points + start
        repeat_row(bias, hidden, p * LANES, here, LANES)
        add_product(
            features,
            p * channels,
            channels,
            1,
            to_hidden,
            0,
            LANES,
            hidden,
            p * LANES,
            LANES,
            here,
            channels,
            1,
        )
        leaky(hidden, p * LANES, here * LANES)


def _confide(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """The discriminator's last convolution and its head: the confidence map."""
    height, width, parts, count = sizes
    (taps,) = places(indices)
    (x,) = floats(inputs)
    kernel, bias, join, join_bias, head = floats(weights)
    (confidence,) = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    base = sample * height * width * LANES
    shape = height, width, LANES, count, -1
    for y in range(part * ROWS, min(height, (part + 1) * ROWS)):
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            stencil(x, base, y, start, here, shape, taps, kernel, bias, own, 0)
            joined = BLOCK * LANES
            repeat_row(join_bias, own, joined, here, LANES)
            add_product(own, 0, LANES, 1, join, 0, LANES, own, joined, LANES, here, LANES // 2, 1)
            leaky(own, joined, here * LANES)
            for i in range(here):
                place = (sample * height + y) * width + start + i
                confidence[place] = graded(own, joined + i * LANES, head)


discern = compile_flat(_discern, sizes=3, inputs=1, weights=2, outputs=3)
confide = compile_flat(_confide, sizes=4, indices=1, inputs=1, weights=5, outputs=1)
