"""What is done to every point of the feature map: the discriminator, the refinement, the joins.

A task is a few rows of one sample's map (or, in `merge`, one row of the coarse map).
"""

from __future__ import annotations

import math
from typing import Any

from numba import float32, njit

from .compiling import compile_flat
from .product import add_product
from .rows import SLOPE, clear, copy_row, graded, leaky, repeat_row
from .vectors import LANES, floats, larger, load, places, smaller, splat, store

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
    for y in range(part * ROWS, min(height, (part + 1) * ROWS)):
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            for i in range(here):
                store(
                    own,
                    i * LANES,
                    stencil(
                        x,
                        base,
                        y,
                        start + i,
                        height,
                        width,
                        LANES,
                        taps,
                        count,
                        kernel,
                        load(bias, 0),
                        0,
                    ),
                )
            joined = BLOCK * LANES
            repeat_row(join_bias, own, joined, here, LANES)
            add_product(own, 0, LANES, 1, join, 0, LANES, own, joined, LANES, here, LANES // 2, 1)
            leaky(own, joined, here * LANES)
            for i in range(here):
                place = (sample * height + y) * width + start + i
                confidence[place] = graded(own, joined + i * LANES, head)


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


def _shrink(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """A strided convolution without bias; zeros beyond the border. A task is a row of its output.

    sizes: height, width of the input, height, width of the output, channels, side, stride, padding.
    inputs: (N, H, W, C). weights: (side, side, C, C), into and out of. outputs: (N, h, w, C).
    """
    height, width, rows, columns, channels, side, stride, padding = sizes
    (x,) = floats(inputs)
    (kernel,) = floats(weights)
    (out,) = floats(outputs)
    sample, y = task // rows, task % rows
    clear(out, task * columns * channels, columns * channels)
    for down in range(side):
        source = y * stride + down - padding
        if 0 <= source < height:
            for right in range(side):
                # the first and the last point whose tap lies inside
                first = max(0, (padding - right + stride - 1) // stride)
                last = min(columns - 1, (width - 1 + padding - right) // stride)
                start = (sample * height + source) * width + first * stride + right - padding
                add_product(
                    x,
                    start * channels,
                    stride * channels,
                    1,
                    kernel,
                    (down * side + right) * channels * channels,
                    channels,
                    out,
                    (task * columns + first) * channels,
                    channels,
                    last - first + 1,
                    channels,
                    channels // LANES,
                )


def _merge(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """A stage's two scales joined, and its share of the image; a task is a row of coarse points.

    inputs: fine (N, 8h, 8w, C), coarse (N, h, w, C). weights: the coarse points' to their blocks
    (C, 64·C), block bias (64·C), the fine points' (C, C), the image's (C, bands). outputs: joined
    (N, 8h, 8w, C), image (N, 8h, 8w, bands), which is added to.
    """
    columns, channels, bands = sizes
    fine, coarse = floats(inputs)
    to_blocks, block_bias, join, to_image = floats(weights)
    out, image = floats(outputs)
    (own,) = floats((own,))
    scale, cells = 8, 8
    block = scale * scale * channels
    width = scale * columns
    for first in range(0, columns, cells):
        here = min(cells, columns - first)
        repeat_row(block_bias, own, 0, here, block)
        add_product(
            coarse,
            (task * columns + first) * channels,
            channels,
            1,
            to_blocks,
            0,
            block,
            own,
            0,
            block,
            here,
            channels,
            block // LANES,
        )
        for row in range(scale):
            p = (task * scale + row) * width + first * scale
            for cell in range(here):
                source = cell * block + row * scale * channels
                copy_row(own, source, out, (p + cell * scale) * channels, scale * channels)
            add_product(
                fine,
                p * channels,
                channels,
                1,
                join,
                0,
                channels,
                out,
                p * channels,
                channels,
                here * scale,
                channels,
                channels // LANES,
            )
            add_product(
                out,
                p * channels,
                channels,
                1,
                to_image,
                0,
                bands,
                image,
                p * bands,
                bands,
                here * scale,
                channels,
                bands // LANES,
            )


def _begin(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """The initial fusion, from images that hold their bands first, and its share of the image."""
    points, start_bands, guide_bands, channels, bands, parts = sizes
    start, guide = floats(inputs)
    from_start, from_guide, bias, to_image = floats(weights)
    out, image = floats(outputs)
    (own,) = floats((own,))
    sample, part = task // parts, task % parts
    span = (points + parts - 1) // parts
    last = min(points, (part + 1) * span)
    for first in range(part * span, last, BLOCK):
        here = min(BLOCK, last - first)
        p = sample * points + first
        repeat_row(bias, out, p * channels, here, channels)
        add_product(
            start,
            sample * start_bands * points + first,
            1,
            points,
            from_start,
            0,
            channels,
            out,
            p * channels,
            channels,
            here,
            start_bands,
            channels // LANES,
        )
        add_product(
            guide,
            sample * guide_bands * points + first,
            1,
            points,
            from_guide,
            0,
            channels,
            out,
            p * channels,
            channels,
            here,
            guide_bands,
            channels // LANES,
        )
        clear(image, p * bands, here * bands)
        add_product(
            out,
            p * channels,
            channels,
            1,
            to_image,
            0,
            bands,
            image,
            p * bands,
            bands,
            here,
            channels,
            bands // LANES,
        )


discern = compile_flat(_discern, sizes=3, inputs=1, weights=2, outputs=3)
convolve = compile_flat(_convolve, sizes=5, indices=1, inputs=1, weights=3, outputs=1)
confide = compile_flat(_confide, sizes=4, indices=1, inputs=1, weights=5, outputs=1)
rejoin = compile_flat(_rejoin, sizes=4, indices=1, inputs=3, weights=3, outputs=1)
refine = compile_flat(_refine, sizes=5, indices=1, inputs=2, weights=4, outputs=1)
shrink = compile_flat(_shrink, sizes=8, inputs=1, weights=1, outputs=1)
merge = compile_flat(_merge, sizes=3, inputs=2, weights=4, outputs=2)
begin = compile_flat(_begin, sizes=6, inputs=2, weights=4, outputs=2)
