"""Row operations that kernels share: rows are points, each `width` numbers, a multiple of `LANES`.

Arrays are flat; a name with 0 behind it is the place in the array where something starts.
"""

from __future__ import annotations

import math
from typing import Any

from numba import float32, njit

from .vectors import LANES, lane_sum, larger, load, sigmoid, splat, store

SLOPE = 0.1  # of LeakyReLU
EPSILON = 1e-5  # of the layer norms


@njit(nogil=True, error_model="numpy")
def repeat_row(row: Any, out: Any, out0: int, count: int, width: int) -> None:
    """Write the first `width` numbers of `row` so many times: a bias, for a product to add to."""
    for i in range(count):
        for c in range(0, width, LANES):
            store(out, out0 + i * width + c, load(row, c))


@njit(nogil=True, error_model="numpy")
def clear(out: Any, out0: int, size: int) -> None:
    """Write zeros."""
    for c in range(out0, out0 + size, LANES):
        store(out, c, splat(float32(0.0)))


@njit(nogil=True, error_model="numpy")
def copy_row(source: Any, source0: int, out: Any, out0: int, width: int) -> None:
    """Copy a row."""
    for c in range(0, width, LANES):
        store(out, out0 + c, load(source, source0 + c))


@njit(nogil=True, error_model="numpy")
def silu(x: Any, x0: int, size: int) -> None:
    """SiLU, x · sigmoid(x), in place."""
    for c in range(x0, x0 + size, LANES):
        value = load(x, c)
        store(x, c, value * sigmoid(value))


@njit(nogil=True, error_model="numpy")
def leaky(x: Any, x0: int, size: int) -> None:
    """LeakyReLU, in place."""
    slope = splat(float32(SLOPE))
    for c in range(x0, x0 + size, LANES):
        value = load(x, c)
        store(x, c, larger(value * slope, value))


@njit(nogil=True, error_model="numpy")
def normalise_row(x: Any, x0: int, out: Any, out0: int, width: int) -> None:
    """Write (x - mean) / deviation of one row; `out` may be `x` itself."""
    total, squares = splat(float32(0.0)), splat(float32(0.0))
    for c in range(0, width, LANES):
        total = total + load(x, x0 + c)
    mean = splat(lane_sum(total) / float32(width))
    for c in range(0, width, LANES):
        centred = load(x, x0 + c) - mean
        squares = squares + centred * centred
    variance = lane_sum(squares) / float32(width)
    scale = splat(float32(1.0 / math.sqrt(variance + EPSILON)))
    for c in range(0, width, LANES):
        store(out, out0 + c, (load(x, x0 + c) - mean) * scale)


@njit(nogil=True, error_model="numpy")
def graded(x: Any, x0: int, head: Any) -> Any:
    """sigmoid(head · x + head's last number), of one vector: a confidence or a score."""
    raw = lane_sum(load(x, x0) * load(head, 0)) + head[LANES]
    return float32(1.0 / (1.0 + math.exp(-raw)))
