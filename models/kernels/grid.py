"""What is done to every point of a feature map: depthwise convolutions, and the refinement.

A task is ROWS rows of one sample's map; of `refine`, as many as the caller says.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from .compiling import compile_flat
from .product import add_product
from .rows import copy_row, leaky, repeat_row
from .vectors import LANES, floats, larger, load, places, splat, store

BLOCK = 64  # points worked on at a time
ROWS = 8  # of the map in a task
REACH = 2  # columns to a tap, at most
RING = 4  # rows that `refine` keeps: three that a tap reads, to a power of two


@njit(nogil=True, error_model="numpy")
def stencil(
    x: Any,
    base: Any,
    y: Any,
    at: Any,
    here: Any,
    shape: Any,
    taps: Any,
    weights: Any,
    bias: Any,
    out: Any,
    out0: Any,
) -> None:
    """A depthwise convolution and its bias of `here` points of row y from `at` on, as rows of out.

    Zeros beyond the border. shape: height, width, channels of the map, the number of taps, and
    what is left of a row's number in memory: -1 all of it, RING - 1 its place among as many rows.
    taps: rows and columns to each, in pairs, no column farther than REACH; weights: (taps, C).
    """
    height, width, channels, count, mask = shape
    for c in range(0, channels, LANES):
        i = 0
        while i < here:
            place = out0 + i * channels + c
            inside = REACH <= at + i and at + i + 3 + REACH < width
            if inside and i + 4 <= here:
                # four points at once share each tap's weight, and none looks for the sides
                a = load(bias, c)
                b, d, e = a, a, a
                for t in range(count):
                    row = y + taps[2 * t]
                    if 0 <= row < height:
                        point = (row & mask) * width + at + i + taps[2 * t + 1]
                        source = base + point * channels + c
                        weight = load(weights, t * channels + c)
                        a = a + load(x, source) * weight
                        b = b + load(x, source + channels) * weight
                        d = d + load(x, source + 2 * channels) * weight
                        e = e + load(x, source + 3 * channels) * weight
                store(out, place, a)
                store(out, place + channels, b)
                store(out, place + 2 * channels, d)
                store(out, place + 3 * channels, e)
                i += 4
            else:
                total = load(bias, c)
                for t in range(count):
                    row, column = y + taps[2 * t], at + i + taps[2 * t + 1]
                    if 0 <= row < height and 0 <= column < width:
                        source = base + ((row & mask) * width + column) * channels + c
                        total = total + load(x, source) * load(weights, t * channels + c)
                store(out, place, total)
                i += 1


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
    shape = height, width, channels, count, -1
    for y in range(part * ROWS, min(height, (part + 1) * ROWS)):
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            first = base + (y * width + start) * channels
            stencil(x, base, y, start, here, shape, taps, kernel, bias, out, first)
            for i in range(here):
                for c in range(0, channels, LANES):
                    value = load(out, first + i * channels + c)
                    store(out, first + i * channels + c, larger(value, value * load(slope, c)))


@njit(nogil=True, error_model="numpy")
def restored(
    p: Any, here: Any, sample: Any, shape: Any, slots: Any, inputs: Any, bias: Any, out: Any
) -> None:
    """Rows of out: points p … p + here - 1 of the map, each as its branch gives it.

    A point of L is M·F times its low-rank model: bias + Σ_k plane_k ⊗ joined_k.
    """
    channels, count, terms, samples = shape
    features, confidence, planes, joined, rest = inputs
    for i in range(here):
        slot = slots[p + i]
        if slot >= samples * count:
            copy_row(rest, (slot - samples * count) * channels, out, i * channels, channels)
        else:
            trust, place = splat(confidence[p + i]), slot - sample * count
            for c in range(0, channels, LANES):
                model = load(bias, c)
                for k in range(sample * terms, (sample + 1) * terms):
                    shade = load(joined, k * channels + c)
                    model = model + splat(planes[k * count + place]) * shade
                value = trust * load(features, (p + i) * channels + c)
                store(out, i * channels + c, value * model)


def _refine(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Both clusters back at their places, refined, plus the features; a task is `rows` rows.

    Joined with the features and through the first convolution a row stays in the cache, the last
    RING of each, for the convolution that reads it.

    sizes: height, width, channels, bands of rows, rows of a band, points n_L of a sample's low-rank
    cluster, terms, samples. indices: slots (N·P,), of L's sorted points or, behind them, of
    `rest`; the taps. inputs: features (N, P, C), confidence (N, P), planes (N, K, n_L), joined
    (N, K, C), rest (N·n, C). outputs: (N, P, C).
    """
    height, width, channels, bands, rows, count, terms, samples = sizes
    slots, taps = places(indices)
    inputs = floats(inputs)
    model_bias, from_points, from_features, bias, near, near_bias, far, far_bias, leave, last = (
        floats(weights)
    )
    (out,) = floats(outputs)
    (own,) = floats((own,))
    features = inputs[0]
    sample, band = task // bands, task % bands
    line = width * channels
    second, block = RING * line, 2 * RING * line
    (work,) = (own[block:],)
    shape = height, width, channels, 9, RING - 1
    routing = channels, count, terms, samples
    vectors = channels // LANES
    first, end = band * rows, min(height, (band + 1) * rows)
    for y in range(first - 2, end + 2):
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            if 0 <= y < height:
                p = (sample * height + y) * width + start
                at = (y & (RING - 1)) * line + start * channels
                restored(p, here, sample, routing, slots, inputs, model_bias, work)
                repeat_row(bias, own, at, here, channels)
                add_product(
                    work, 0, channels, 1, from_points, 0, channels,
                    own, at, channels, here, channels, vectors,
                )  # fmt: skip
                add_product(
                    features, p * channels, channels, 1, from_features, 0, channels,
                    own, at, channels, here, channels, vectors,
                )  # fmt: skip
                leaky(own, at, here * channels)
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            if first - 1 <= y - 1 <= end and 0 <= y - 1 < height:
                at = second + ((y - 1) & (RING - 1)) * line + start * channels
                stencil(own, 0, y - 1, start, here, shape, taps, near, near_bias, own, at)
                leaky(own, at, here * channels)
        for start in range(0, width, BLOCK):
            here = min(BLOCK, width - start)
            if first <= y - 2 < end:
                at = ((sample * height + y - 2) * width + start) * channels
                stencil(own, second, y - 2, start, here, shape, taps, far, far_bias, work, 0)
                leaky(work, 0, here * channels)
                for i in range(at, at + here * channels, channels):
                    for c in range(0, channels, LANES):
                        store(out, i + c, load(features, i + c) + load(last, c))
                add_product(
                    work, 0, channels, 1, leave, 0, channels,
                    out, at, channels, here, channels, vectors,
                )  # fmt: skip


convolve = compile_flat(_convolve, sizes=5, indices=1, inputs=1, weights=3, outputs=1)
refine = compile_flat(_refine, sizes=8, indices=2, inputs=5, weights=10, outputs=1)
