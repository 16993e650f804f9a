"""What is done to every point of a feature map: depthwise convolutions, and the refinement.

A task is ROWS rows of one sample's map; of `rejoin`, one of as many parts as the caller says.
"""

from __future__ import annotations

from typing import Any

from numba import float32, njit

from .compiling import compile_flat
from .product import add_product
from .rows import SLOPE, copy_row, leaky, repeat_row
from .vectors import LANES, floats, larger, load, places, splat, store

BLOCK = 64  # points worked on at a time
ROWS = 8  # of the map in a task


@njit(nogil=True, error_model="numpy")
def stencil(
    x: Any,
    base: Any,
    y: Any,
    at: Any,
    height: Any,
    width: Any,
    channels: Any,
    taps: Any,
    count: Any,
    weights: Any,
    start: Any,
    c: Any,
) -> Any:
    """One vector of a depthwise convolution at (y, at), from `start`; zeros beyond the border.

    taps: rows and columns to each tap, in pairs; weights: (taps, channels).
    """
    total = start
    for t in range(count):
        row, column = y + taps[2 * t], at + taps[2 * t + 1]
        if 0 <= row < height and 0 <= column < width:
            total = total + load(x, base + (row * width + column) * channels + c) * load(
                weights, t * channels + c
            )
    return total


def _convolve(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """A depthwise convolution, its bias, and LeakyReLU of each channel's own slope."""
    height, width, channels, parts, count = sizes
    (taps,) = places(indices)
    (x,) = floats(inputs)
    kernel, bias, slope = floats(weights)
    (out,) = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    base = sample * height * width * channels
    for y in range(part * ROWS, min(height, (part + 1) * ROWS)):
        for at in range(width):
            for c in range(0, channels, LANES):
                total = stencil(
                    x, base, y, at, height, width, channels, taps, count, kernel, load(bias, c), c
                )
                store(
                    out,
                    base + (y * width + at) * channels + c,
                    larger(total, total * load(slope, c)),
                )


def _rejoin(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Both clusters at their places ‖ the features, through a 1x1 convolution and LeakyReLU."""
    points, channels, lows, parts = sizes
    (slots,) = places(indices)
    low, rest, features = floats(inputs)
    from_points, from_features, bias = floats(weights)
    (out,) = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    span = (points + parts - 1) // parts
    for start in range(part * span, min(points, (part + 1) * span), BLOCK):
        here = min(BLOCK, min(points, (part + 1) * span) - start)
        p = sample * points + start
        for i in range(here):
            slot = slots[p + i]
            if slot < lows:
                copy_row(low, slot * channels, own, i * channels, channels)
            else:
                copy_row(rest, (slot - lows) * channels, own, i * channels, channels)
        repeat_row(bias, out, p * channels, here, channels)
        add_product(
            own,
            0,
            channels,
            1,
            from_points,
            0,
            channels,
            out,
            p * channels,
            channels,
            here,
            channels,
            channels // LANES,
        )
        add_product(
            features,
            p * channels,
            channels,
            1,
            from_features,
            0,
            channels,
            out,
            p * channels,
            channels,
            here,
            channels,
            channels // LANES,
        )
        leaky(out, p * channels, here * channels)


def _refine(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """The last depthwise convolution, LeakyReLU, the last 1x1 convolution; plus the features."""
    height, width, channels, parts, count = sizes
    (taps,) = places(indices)
    x, features = floats(inputs)
    kernel, bias, leave, leave_bias = floats(weights)
    (out,) = floats(outputs)
    (own,) = floats((own,))
    slope = splat(float32(SLOPE))
    sample, part = task // parts, task % parts
    base = sample * height * width * channels
    for y in range(part * ROWS, min(height, (part + 1) * ROWS)):
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            for i in range(here):
                for c in range(0, channels, LANES):
                    total = stencil(
                        x,
                        base,
                        y,
                        start + i,
                        height,
                        width,
                        channels,
                        taps,
                        count,
                        kernel,
                        load(bias, c),
                        c,
                    )
                    store(own, i * channels + c, larger(total, total * slope))
            first = base + (y * width + start) * channels
            for i in range(here):
                for c in range(0, channels, LANES):
                    store(
                        out,
                        first + i * channels + c,
                        load(features, first + i * channels + c) + load(leave_bias, c),
                    )
            add_product(
                own,
                0,
                channels,
                1,
                leave,
                0,
                channels,
                out,
                first,
                channels,
                here,
                channels,
                channels // LANES,
            )


convolve = compile_flat(_convolve, sizes=5, indices=1, inputs=1, weights=3, outputs=1)
rejoin = compile_flat(_rejoin, sizes=4, indices=1, inputs=3, weights=3, outputs=1)
refine = compile_flat(_refine, sizes=5, indices=1, inputs=2, weights=4, outputs=1)
