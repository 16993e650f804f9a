"""The way back through the rank-1 terms: what `terms` computes, and its gradients' names with d_.

There is one task, so that the weights' gradients add up over the samples in one order.
"""

from __future__ import annotations

from typing import Any

from numba import float32, njit

from .compiling import compile_flat
from .rows import SLOPE
from .terms import copy, outer, weight_at
from .vectors import floats, places


@njit(nogil=True, error_model="numpy")
def line_back(
    x: Any,
    x0: int,
    size: int,
    kernel: Any,
    grad: Any,
    grad0: int,
    dx: Any,
    dx0: int,
    dk: Any,
    db: Any,
) -> None:
    """Add to the gradients of a line, its kernel and its bias, from that of `line`'s output."""
    for i in range(size):
        g = grad[grad0 + i]
        db[0] += g
        for t in range(3):
            j = i + t - 1
            if 0 <= j < size:
                dk[t] += g * x[x0 + j]
                dx[dx0 + j] += g * kernel[t]


@njit(nogil=True, error_model="numpy")
def plane_back(
    x: Any,
    x0: int,
    height: int,
    width: int,
    kernel: Any,
    grad: Any,
    grad0: int,
    dx: Any,
    dx0: int,
    dk: Any,
    db: Any,
) -> None:
    """Write the gradient of `plane_of`'s input, and add to those of kernel and bias."""
    for i in range(height * width):
        dx[dx0 + i] = float32(0.0)
        db[0] += grad[grad0 + i]
    for y in range(height):
        for t in range(9):
            source, step = y + t // 3 - 1, t % 3 - 1
            if 0 <= source < height:
                weight, total = kernel[t], float32(0.0)
                row, at = grad0 + y * width, x0 + source * width + step
                to = dx0 + source * width + step
                for i in range(max(0, -step), min(width, width - step)):
                    total += grad[row + i] * x[at + i]
                    dx[to + i] += weight * grad[row + i]
                dk[t] += total


@njit(nogil=True, error_model="numpy")
def leaky_back(x: Any, x0: int, size: int, grad: Any, grad0: int) -> None:
    """Turn the gradient of LeakyReLU's output x into that of its input, in place."""
    for i in range(size):
        if x[x0 + i] < 0:
            grad[grad0 + i] *= float32(SLOPE)


@njit(nogil=True, error_model="numpy")
def outer_back(
    a: Any, a0: int, height: int, b0: int, width: int, own: Any, grad0: int, out0: int
) -> None:
    """Write the gradients of a and, behind it, b from that of a ⊗ b."""
    for i in range(height + width):
        own[out0 + i] = float32(0.0)
    for i in range(height):
        for j in range(width):
            g = own[grad0 + i * width + j]
            own[out0 + i] += g * a[b0 + j]
            own[out0 + height + j] += g * a[a0 + i]


@njit(nogil=True, error_model="numpy")
def colour_back(
    table: Any,
    grads: Any,
    k: int,
    x: Any,
    x0: int,
    channels: int,
    hidden: Any,
    hidden0: int,
    grad: Any,
    grad0: int,
    dx: Any,
    dx0: int,
) -> None:
    """Write the gradient of `colour_of`'s input, and add to those of its weights."""
    inner, outer = weight_at(table, k, 10), weight_at(table, k, 12)
    d_inner, d_inner_bias = weight_at(grads, k, 10), weight_at(grads, k, 11)
    d_outer, d_outer_bias = weight_at(grads, k, 12), weight_at(grads, k, 13)
    narrow = channels // 4
    for c in range(channels):
        dx[dx0 + c] = float32(0.0)
        d_outer_bias[c] += grad[grad0 + c]
    for i in range(narrow):
        value, total = hidden[hidden0 + i], float32(0.0)
        for c in range(channels):
            total += grad[grad0 + c] * outer[c * narrow + i]
            d_outer[c * narrow + i] += grad[grad0 + c] * value
        if value < 0:
            total *= float32(SLOPE)
        d_inner_bias[i] += total
        for c in range(channels):
            d_inner[i * channels + c] += total * x[x0 + c]
            dx[dx0 + c] += total * inner[i * channels + c]


@njit(nogil=True, error_model="numpy")
def _leave_over_back(
    d_at: int,
    mean: int,
    shade: int,
    height: int,
    width: int,
    channels: int,
    d_begun: Any,
    means: Any,
    shades: Any,
    own: Any,
    d_shade: int,
) -> None:
    """Add to the gradients of a term's plane and shade that of what it leaves over."""
    bright, d_bright, toned = float32(0.0), float32(0.0), float32(0.0)
    sides = height + width
    for c in range(channels):
        bright += shades[shade + c]
        toned += d_begun[d_at + sides + c] * shades[shade + c]
    bright /= float32(channels)
    for i in range(sides):
        d_bright -= d_begun[d_at + i] * means[mean + i]
    for c in range(channels):
        own[d_shade + c] += d_bright / float32(channels)
        own[d_shade + c] -= means[mean + sides] * d_begun[d_at + sides + c]
    for i in range(height):
        over_row = bright * d_begun[d_at + i] / float32(width) + toned / float32(height * width)
        for j in range(width):
            over_column = bright * d_begun[d_at + height + j] / float32(height)
            own[i * width + j] -= over_row + over_column


def _decompose_back(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Gradients of the means, and of the weights, which are added to.

    sizes: samples, h, w, C, terms. indices: addresses of the weights, and of their gradients.
    inputs: gradients of planes and shades, then shades and the rest of `_decompose`'s outputs.
    outputs: gradients of the means (N, h + w + C).
    """
    samples, height, width, channels, terms = sizes
    table, grads = places(indices)
    d_planes, d_shades, shades, begun, vectors, firsts, hiddens, means = floats(inputs)
    (d_begun,) = floats(outputs)
    (own,) = floats((own,))
    points, length, sides = height * width, height + width + channels, height + width
    # own: gradients of plane, shade, the three vectors and `first`; a ⊗ b, and its gradient
    d_shade, d_vectors = points, points + channels
    d_first = d_vectors + length
    product, d_product = d_first + points, d_first + 2 * points
    for sample in range(samples):
        d_at = sample * length
        for i in range(length):
            d_begun[d_at + i] = float32(0.0)
        for k in range(terms - 1, -1, -1):
            term = sample * terms + k
            at, plane, shade = term * length, term * points, term * channels
            copy(d_planes, plane, points, own, 0)
            copy(d_shades, shade, channels, own, d_shade)
            if k < terms - 1:
                _leave_over_back(
                    d_at,
                    term * (sides + 1),
                    shade,
                    height,
                    width,
                    channels,
                    d_begun,
                    means,
                    shades,
                    own,
                    d_shade,
                )
            kernel = weight_at(table, k, 8)
            plane_back(
                firsts,
                plane,
                height,
                width,
                kernel,
                own,
                0,
                own,
                d_first,
                weight_at(grads, k, 8),
                weight_at(grads, k, 9),
            )
            leaky_back(firsts, plane, points, own, d_first)
            outer(vectors, at, height, at + height, width, own, product)
            kernel = weight_at(table, k, 6)
            plane_back(
                own,
                product,
                height,
                width,
                kernel,
                own,
                d_first,
                own,
                d_product,
                weight_at(grads, k, 6),
                weight_at(grads, k, 7),
            )
            outer_back(vectors, at, height, at + height, width, own, d_product, d_vectors)
            colour_back(
                table,
                grads,
                k,
                vectors,
                at + sides,
                channels,
                hiddens,
                term * (channels // 4),
                own,
                d_shade,
                own,
                d_vectors + sides,
            )
            start = 0
            for number, size in ((0, height), (1, width), (2, channels)):
                line_back(
                    begun,
                    at + start,
                    size,
                    weight_at(table, k, 2 * number),
                    own,
                    d_vectors + start,
                    d_begun,
                    d_at + start,
                    weight_at(grads, k, 2 * number),
                    weight_at(grads, k, 2 * number + 1),
                )
                start += size


decompose_back = compile_flat(_decompose_back, sizes=5, indices=2, inputs=8, outputs=1)
