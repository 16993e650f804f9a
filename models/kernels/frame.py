"""The network's frame: what leads into it, between its two scales, and out to the image."""

from __future__ import annotations

from typing import Any

from .compiling import compile_flat
from .grid import BLOCK
from .product import add_product
from .rows import clear, copy_row, repeat_row
from .vectors import LANES, floats


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


shrink = compile_flat(_shrink, sizes=8, inputs=1, weights=1, outputs=1)
merge = compile_flat(_merge, sizes=3, inputs=2, weights=4, outputs=2)
begin = compile_flat(_begin, sizes=6, inputs=2, weights=4, outputs=2)
