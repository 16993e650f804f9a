"""The rank-1 terms of the low-rank branch, from the means of X_L.

A term's fourteen weights lie where the table of addresses says: kernel and bias of the 1-d
convolutions along rows, columns and colours; of the plane's two 3x3 ones; of the colour's two
linear maps. A task is one sample.

Names: a ⊗ b is the outer product, `first` the plane after its first convolution and LeakyReLU,
`hidden` the colour's inner layer after LeakyReLU.
"""

from __future__ import annotations

from typing import Any

from numba import float32, njit

from .compiling import compile_flat
from .rows import SLOPE
from .vectors import LANES, floats, load, places, splat, store

WEIGHTS = 14  # of a term


@njit(nogil=True, error_model="numpy")
def copy(x: Any, x0: int, size: int, out: Any, out0: int) -> None:
    """Copy numbers."""
    for i in range(size):
        out[out0 + i] = x[x0 + i]


@njit(nogil=True, error_model="numpy")
def outer(a: Any, a0: int, height: int, b0: int, width: int, out: Any, out0: int) -> None:
    """Write a ⊗ b, both parts of one array."""
    for i in range(height):
        for j in range(width):
            out[out0 + i * width + j] = a[a0 + i] * a[b0 + j]


@njit(nogil=True, error_model="numpy")
def line(x: Any, x0: int, size: int, kernel: Any, bias: Any, out: Any, out0: int) -> None:
    """A convolution of width 3 along a line, zeros beyond its ends."""
    for i in range(size):
        total = bias[0] + kernel[1] * x[x0 + i]
        if i > 0:
            total += kernel[0] * x[x0 + i - 1]
        if i < size - 1:
            total += kernel[2] * x[x0 + i + 1]
        out[out0 + i] = total


@njit(nogil=True, error_model="numpy")
def plane_of(
    x: Any, x0: int, height: int, width: int, kernel: Any, bias: Any, out: Any, out0: int
) -> None:
    """A 3x3 convolution of one channel, zeros beyond the border."""
    whole = 1 + max(0, width - 2) // LANES * LANES
    for y in range(height):
        row = out0 + y * width
        first, last = max(0, y - 1), min(height - 1, y + 1)
        for i in range(1, whole, LANES):
            vector = splat(bias[0])
            for source in range(first, last + 1):
                place, t = x0 + source * width + i, 3 * (source - y + 1)
                vector = vector + load(x, place - 1) * splat(kernel[t])
                vector = vector + load(x, place) * splat(kernel[t + 1])
                vector = vector + load(x, place + 1) * splat(kernel[t + 2])
            store(out, row + i, vector)
        for i in range(width):
            if i == 0 or i >= whole:
                total = bias[0]
                for source in range(first, last + 1):
                    for step in range(-1, 2):
                        if 0 <= i + step < width:
                            weight = kernel[3 * (source - y + 1) + step + 1]
                            total += weight * x[x0 + source * width + i + step]
                out[row + i] = total


@njit(nogil=True, error_model="numpy")
def weight_at(table: Any, k: int, number: int) -> Any:
    """A weight of term k."""
    return floats((table[k * WEIGHTS + number],))[0]


@njit(nogil=True, error_model="numpy")
def colour_of(
    table: Any,
    k: int,
    x: Any,
    x0: int,
    channels: int,
    hidden: Any,
    hidden0: int,
    out: Any,
    out0: int,
) -> None:
    """The colour's two linear maps with LeakyReLU between; `hidden` keeps the inner layer."""
    inner, inner_bias = weight_at(table, k, 10), weight_at(table, k, 11)
    outer, outer_bias = weight_at(table, k, 12), weight_at(table, k, 13)
    narrow = channels // 4
    for i in range(narrow):
        total = inner_bias[i]
        for c in range(channels):
            total += inner[i * channels + c] * x[x0 + c]
        hidden[hidden0 + i] = max(total, total * float32(SLOPE))
    for c in range(channels):
        total = outer_bias[c]
        for i in range(narrow):
            total += outer[c * narrow + i] * hidden[hidden0 + i]
        out[out0 + c] = total


@njit(nogil=True, error_model="numpy")
def means_of(x: Any, x0: int, height: int, width: int, rows: Any, columns: Any, at: int) -> Any:
    """Write a plane's means over columns and over rows, from `at` on; its mean."""
    for j in range(width):
        columns[at + height + j] = float32(0.0)
    everything = float32(0.0)
    for i in range(height):
        total = float32(0.0)
        for j in range(width):
            value = x[x0 + i * width + j]
            total += value
            columns[at + height + j] += value
        rows[at + i] = total / float32(width)
        everything += total
    for j in range(width):
        columns[at + height + j] /= float32(height)
    return everything / float32(height * width)


def _decompose(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Planes and shades of one sample, each term from what those before it left.

    sizes: h, w, C, terms K. indices: the table of addresses. inputs: means (N, h), (N, w), (N, C).
    outputs: planes (N, K, h·w), shades (N, K, C); and for the way back, of every term: what it
    began with (N, K, h + w + C), its v_h, v_w and v_c alike, `first` (N, K, h·w), `hidden`
    (N, K, C/4), the plane's means (N, K, h + w + 1).
    """
    height, width, channels, terms = sizes
    (table,) = places(indices)
    rows, columns, colours = floats(inputs)
    planes, shades, begun, vectors, firsts, hiddens, means = floats(outputs)
    (own,) = floats((own,))
    points, length = height * width, height + width + channels
    copy(rows, task * height, height, begun, task * terms * length)
    copy(columns, task * width, width, begun, task * terms * length + height)
    copy(colours, task * channels, channels, begun, task * terms * length + height + width)
    for k in range(terms):
        term = task * terms + k
        at, plane, mean = term * length, term * points, term * (height + width + 1)
        start = at
        for number, size in ((0, height), (1, width), (2, channels)):
            kernel, bias = weight_at(table, k, 2 * number), weight_at(table, k, 2 * number + 1)
            line(begun, start, size, kernel, bias, vectors, start)
            start += size
        outer(vectors, at, height, at + height, width, own, 0)
        kernel, bias = weight_at(table, k, 6), weight_at(table, k, 7)
        plane_of(own, 0, height, width, kernel, bias, firsts, plane)
        for i in range(plane, plane + points):
            firsts[i] = max(firsts[i], firsts[i] * float32(SLOPE))
        kernel, bias = weight_at(table, k, 8), weight_at(table, k, 9)
        plane_of(firsts, plane, height, width, kernel, bias, planes, plane)
        colour_of(
            table,
            k,
            vectors,
            at + height + width,
            channels,
            hiddens,
            term * (channels // 4),
            shades,
            term * channels,
        )
        means[mean + height + width] = means_of(planes, plane, height, width, means, means, mean)
        if k < terms - 1:
            _leave_over(at, mean, term * channels, height, width, channels, begun, means, shades)


@njit(nogil=True, error_model="numpy")
def _leave_over(
    at: int,
    mean: int,
    shade: int,
    height: int,
    width: int,
    channels: int,
    begun: Any,
    means: Any,
    shades: Any,
) -> None:
    """What a term leaves of the means is what the next one begins with."""
    bright = float32(0.0)
    for c in range(channels):
        bright += shades[shade + c]
    bright /= float32(channels)
    following = at + height + width + channels
    for i in range(height + width):
        begun[following + i] = begun[at + i] - means[mean + i] * bright
    for c in range(channels):
        i = height + width + c
        begun[following + i] = begun[at + i] - means[mean + height + width] * shades[shade + c]


decompose = compile_flat(_decompose, sizes=4, indices=1, inputs=3, outputs=7)
