"""The attention branch around its scan, a block of points at a time: kernels for the processor.

`enter` takes points out of the feature map and brings them to u and its score; `select` puts u in
the scan's order and makes what the scan reads; `leave` takes the scan's output to the branch's.
Between them lie only the learned order and the scan. A task is one sample's PART points.
"""

from __future__ import annotations

from typing import Any

from numba import float32, njit

from .compiling import compile_flat
from .product import add_product
from .rows import clear, copy_row, graded, leaky, normalise_row, repeat_row, silu
from .vectors import LANES, floats, load, places, sigmoid, splat, store

# Points worked on at a time, so that their temporaries stay in the first caches, and points a task.
BLOCK = 64
PART = 1024


def _enter(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """u·(1 + score), the score, and this task's share of the Gram matrix of the plain points.

    sizes: points n of a sample to attend, channels, parts. indices: (N·n,), the rows of the map
    that they are. inputs: features (N, P, C), confidence (N, P). weights: u's (C, 2C) and bias,
    the score's (2C, 16) and bias, its head (16 and the bias). outputs: u (N, n, 2C), score (N, n),
    Gram (tasks, C, C).
    """
    count, channels, parts = sizes
    (chosen,) = places(indices)
    features, confidence = floats(inputs)
    to_u, u_bias, to_score, score_bias, head = floats(weights)
    u, score, gram = floats(outputs)
    (own,) = floats((own,))
    width = 2 * channels
    sample, part = task // parts, task % parts
    plain, normed = 0, BLOCK * channels
    scores = normed + BLOCK * channels
    modulated = scores + BLOCK * LANES
    for start in range(part * PART, min(count, (part + 1) * PART), BLOCK):
        here = min(BLOCK, count - start)
        for i in range(here):
            p = chosen[sample * count + start + i]
            doubt = splat(float32(1.0) - confidence[p])
            for c in range(0, channels, LANES):
                value = load(features, p * channels + c)
                store(own, plain + i * channels + c, value)
                store(own, modulated + c, doubt * value)
            normalise_row(own, modulated, own, normed + i * channels, channels)
        add_product(
            own,
            plain,
            1,
            channels,
            own,
            plain,
            channels,
            gram,
            task * channels * channels,
            channels,
            channels,
            here,
            channels // LANES,
        )
        out = (sample * count + start) * width
        repeat_row(u_bias, u, out, here, width)
        add_product(
            own, normed, channels, 1, to_u, 0, width, u, out, width, here, channels, width // LANES
        )
        silu(u, out, here * width)
        repeat_row(score_bias, own, scores, here, LANES)
        add_product(u, out, width, 1, to_score, 0, LANES, own, scores, LANES, here, width, 1)
        leaky(own, scores, here * LANES)
        for i in range(here):
            value = graded(own, scores + i * LANES, head)
            score[sample * count + start + i] = value
            factor = splat(float32(1.0) + value)
            for c in range(0, width, LANES):
                store(u, out + i * width + c, load(u, out + i * width + c) * factor)


def _select(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """What the scan reads, in its order: S·u, the steps, B and C.

    sizes: points n of a sample, channels, parts, heads, rank. indices: the order (N·n,).
    inputs: u (N, n, 2C), S by its heads' transposes (N, heads, 2C/heads, 2C/heads).
    weights: those of B ‖ C ‖ step (2C, C + 16), the step's (rank, 2C).
    outputs: scanned (N, n, 2C), delta alike, B and C (N, n, C/2).
    """
    count, channels, parts, heads, rank = sizes
    (order,) = places(indices)
    u, mixing = floats(inputs)
    to_maps, to_step = floats(weights)
    scanned, delta, b, c_map = floats(outputs)
    (own,) = floats((own,))
    width, states = 2 * channels, channels // 2
    selected = channels + LANES
    head = width // heads
    sample, part = task // parts, task % parts
    selection = BLOCK * width
    for start in range(part * PART, min(count, (part + 1) * PART), BLOCK):
        here = min(BLOCK, count - start)
        row = sample * count + start
        for i in range(here):
            copy_row(u, order[row + i] * width, own, i * width, width)
        clear(own, selection, here * selected)
        add_product(
            own,
            0,
            width,
            1,
            to_maps,
            0,
            selected,
            own,
            selection,
            selected,
            here,
            width,
            selected // LANES,
        )
        clear(scanned, row * width, here * width)
        for k in range(heads):
            add_product(
                own,
                k * head,
                width,
                1,
                mixing,
                (sample * heads + k) * head * head,
                head,
                scanned,
                row * width + k * head,
                width,
                here,
                head,
                head // LANES,
            )
        for i in range(here):
            place = selection + i * selected
            copy_row(own, place, b, (row + i) * states, states)
            copy_row(own, place + states, c_map, (row + i) * states, states)
            for c in range(0, width, LANES):
                total = splat(float32(0.0))
                for k in range(rank):
                    total = total + splat(own[place + channels + k]) * load(to_step, k * width + c)
                store(delta, (row + i) * width + c, total)


@njit(nogil=True, error_model="numpy")
def edges_at(
    features: Any,
    base: Any,
    y: Any,
    x: Any,
    height: Any,
    width: Any,
    channels: Any,
    scale: Any,
    scale0: Any,
    out: Any,
    out0: Any,
) -> Any:
    """Sobel's differences of one point, horizontal then vertical; the border is repeated.

    scale: one over eight times each channel's range.
    """
    up, down = max(y - 1, 0) * width, min(y + 1, height - 1) * width
    here = y * width
    left, right = max(x - 1, 0), min(x + 1, width - 1)
    two = splat(float32(2.0))
    for c in range(0, channels, LANES):
        at = base + c
        a, b, d = (
            load(features, at + (up + left) * channels),
            load(features, at + (up + x) * channels),
            load(features, at + (up + right) * channels),
        )
        e, f = (
            load(features, at + (here + left) * channels),
            load(features, at + (here + right) * channels),
        )
        g, h, k = (
            load(features, at + (down + left) * channels),
            load(features, at + (down + x) * channels),
            load(features, at + (down + right) * channels),
        )
        factor = load(scale, scale0 + c)
        store(out, out0 + c, ((d - a) + two * (f - e) + (k - g)) * factor)
        store(out, out0 + channels + c, ((g - a) + two * (h - b) + (k - d)) * factor)


@njit(nogil=True, error_model="numpy")
def gate_row(own: Any, x: Any, z: Any, shape: Any, shift: Any, width: Any) -> Any:
    """Normalise the row at x in place, with scale and shift, times silu of the row at z."""
    normalise_row(own, x, own, x, width)
    for c in range(0, width, LANES):
        gate = load(own, z + c)
        value = load(own, x + c) * load(shape, c) + load(shift, c)
        store(own, x + c, value * gate * sigmoid(gate))


def _leave(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """The branch's output, from the scan's.

    sizes: height, width of the map, points n of a sample to attend, channels, parts, heads.
    indices: the rows of the map (N·n,), the place of each in the scan (N·n,).
    inputs: features, confidence, the scan's y (N, n, 2C), S as `_select` has it, 1/(8·range) of the
    channels (N, C). weights: narrow's (2C, C), bias, widen's (C, 2C), bias, norm's scale and shift
    (2C), z's (C, 2C), bias, leave's (2C, C), bias. outputs: the points (N, n, C).
    """
    height, columns, count, channels, parts, heads = sizes
    chosen, back = places(indices)
    features, confidence, y, mixing, scale = floats(inputs)
    (narrow, narrow_bias, widen, widen_bias, shape, shift, to_z, z_bias, leave, leave_bias) = (
        floats(weights)
    )
    (out,) = floats(outputs)
    (own,) = floats((own,))
    points, width = height * columns, 2 * channels
    head = width // heads
    sample, part = task // parts, task % parts
    edges, narrowed = 0, BLOCK * width
    widened = narrowed + BLOCK * channels
    mixed = widened + BLOCK * width
    normed = mixed + BLOCK * width
    gate = normed + BLOCK * channels
    for start in range(part * PART, min(count, (part + 1) * PART), BLOCK):
        here = min(BLOCK, count - start)
        row = sample * count + start
        for i in range(here):
            p = chosen[row + i]
            local = p - sample * points
            edges_at(
                features,
                sample * points * channels,
                local // columns,
                local % columns,
                height,
                columns,
                channels,
                scale,
                sample * channels,
                own,
                edges + i * width,
            )
            doubt = splat(float32(1.0) - confidence[p])
            for c in range(0, channels, LANES):
                value = doubt * load(features, p * channels + c)
                store(out, (row + i) * channels + c, value)
            normalise_row(out, (row + i) * channels, own, normed + i * channels, channels)
        repeat_row(narrow_bias, own, narrowed, here, channels)
        add_product(
            own,
            edges,
            width,
            1,
            narrow,
            0,
            channels,
            own,
            narrowed,
            channels,
            here,
            width,
            channels // LANES,
        )
        leaky(own, narrowed, here * channels)
        repeat_row(widen_bias, own, widened, here, width)
        add_product(
            own,
            narrowed,
            channels,
            1,
            widen,
            0,
            width,
            own,
            widened,
            width,
            here,
            channels,
            width // LANES,
        )
        for i in range(here):
            p = back[row + i] * width
            for c in range(0, width, LANES):
                at = i * width + c
                store(own, widened + at, load(own, widened + at) * load(y, p + c))
        clear(own, mixed, here * width)
        for k in range(heads):
            add_product(
                own,
                widened + k * head,
                width,
                1,
                mixing,
                (sample * heads + k) * head * head,
                head,
                own,
                mixed + k * head,
                width,
                here,
                head,
                head // LANES,
            )
        repeat_row(z_bias, own, gate, here, width)
        add_product(
            own,
            normed,
            channels,
            1,
            to_z,
            0,
            width,
            own,
            gate,
            width,
            here,
            channels,
            width // LANES,
        )
        for i in range(here):
            gate_row(own, mixed + i * width, gate + i * width, shape, shift, width)
            for c in range(0, channels, LANES):
                at = (row + i) * channels + c
                store(out, at, load(out, at) + load(leave_bias, c))
        add_product(
            own,
            mixed,
            width,
            1,
            leave,
            0,
            channels,
            out,
            row * channels,
            channels,
            here,
            width,
            channels // LANES,
        )


enter = compile_flat(_enter, sizes=3, indices=1, inputs=2, weights=5, outputs=3)
select = compile_flat(_select, sizes=5, indices=1, inputs=2, weights=2, outputs=4)
leave = compile_flat(_leave, sizes=6, indices=2, inputs=5, weights=10, outputs=1)
