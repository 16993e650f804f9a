"""The scan's two inner loops, compiled by numba: forward, and backward from saved states.

One call does one sequence and one group of `LANES` neighbouring channels, a channel a lane:
channels are independent, so that lanes are only summed for the gradients of B and C. The state of
a group (S vectors) stays in the first-level cache for the whole sequence. Calls for other groups
and sequences may run beside it: no lock is held.

Importing this module imports numba and compiles, or loads from the user's cache.
Every array is float32 and contiguous: points (N·L·G, LANES), rates (G·S, LANES), channels
(G, LANES), maps (N, L, S).
"""

from __future__ import annotations

from typing import Any

from numba import float32, int64
from numba.types import Tuple

from .compiling import compile_kernel
from .simd import LANES, LOG2_E, exp2, lane_sum, load, sigmoid, softplus, splat, store

__all__ = ["CHUNK", "LANES", "LOG2_E", "backward", "forward"]

# Points between two saved states. The backward pass computes the states in between again and
# holds them: 2·CHUNK·S·LANES numbers, which should fit the second-level cache.
CHUNK = 64

LN_2 = 0.6931471805599453


def _forward(
    n: int, g: int, groups: int, inputs: tuple[Any, ...], y: Any, saved: Any, work: Any
) -> None:
    """Write y of group g of sequence n, and the state before every CHUNK-th point.

    inputs: points u and delta; A·log2(e) as rates; maps B and C; channels D and delta_bias.
    saved: (N·G·chunks·S, LANES), without rows where none are wanted.
    work: (S + CHUNK, LANES) scratch: the state, and a chunk's steps.
    """
    u, delta, rate, B, C, D, bias = inputs
    length, states = B.shape[1], B.shape[2]
    keep = saved.shape[0] > 0
    row = (n * groups + g) * ((length + CHUNK - 1) // CHUNK) * states
    offset, skip = load(bias, g), load(D, g)
    for s in range(states):
        store(work, s, splat(float32(0.0)))
    for first in range(0, length, CHUNK):
        if keep:
            for s in range(states):
                store(saved, row + s, load(work, s))
            row += states
        last = min(length, first + CHUNK)
        # Steps come first for a whole chunk: inside the loop over points each would wait for them.
        for t in range(first, last):
            store(
                work,
                states + t - first,
                softplus(load(delta, (n * length + t) * groups + g) + offset),
            )
        for t in range(first, last):
            p = (n * length + t) * groups + g
            step, value = load(work, states + t - first), load(u, p)
            drive, total = step * value, skip * value
            for s in range(states):
                decay = exp2(step * load(rate, g * states + s))
                after = drive * splat(B[n, t, s]) + decay * load(work, s)
                store(work, s, after)
                total = total + after * splat(C[n, t, s])
            store(y, p, total)


def _backward(
    n: int,
    g: int,
    groups: int,
    inputs: tuple[Any, ...],
    saved: Any,
    dy: Any,
    gradients: tuple[Any, ...],
    work: Any,
) -> None:
    """Write the gradients that belong to sequence n and group g, from that of y.

    gradients: points du and ddelta; (N·G·S, LANES), that of A; (N·G, L, S), this group's share
    of those of B and C. work: ((2·CHUNK + 2)·S, LANES) scratch.
    """
    u, delta, rate, B, C, D, bias = inputs
    du, ddelta, drate, dB, dC = gradients
    length, states = B.shape[1], B.shape[2]
    # work holds the state before each point of a chunk and after the last, then the decays, then
    # the adjoint: the gradient that reaches the state from later points.
    decays = (CHUNK + 1) * states
    adjoints = decays + CHUNK * states
    chunks = (length + CHUNK - 1) // CHUNK
    block = n * groups + g
    offset, skip = load(bias, g), load(D, g)
    for s in range(states):
        store(work, adjoints + s, splat(float32(0.0)))
        store(drate, block * states + s, splat(float32(0.0)))
    for chunk in range(chunks - 1, -1, -1):
        first = chunk * CHUNK
        last = min(length, first + CHUNK)
        for s in range(states):
            store(work, s, load(saved, (block * chunks + chunk) * states + s))
        for t in range(first, last):
            p = (n * length + t) * groups + g
            step = softplus(load(delta, p) + offset)
            drive = step * load(u, p)
            for s in range(states):
                i = (t - first) * states + s
                decay = exp2(step * load(rate, g * states + s))
                store(work, decays + i, decay)
                store(work, i + states, drive * splat(B[n, t, s]) + decay * load(work, i))
        for t in range(last - 1, first - 1, -1):
            p = (n * length + t) * groups + g
            raw, value, slope = load(delta, p) + offset, load(u, p), load(dy, p)
            step = softplus(raw)
            drive = step * value
            ddrive, dstep = splat(float32(0.0)), splat(float32(0.0))
            for s in range(states):
                i = (t - first) * states + s
                total = load(work, adjoints + s) + slope * splat(C[n, t, s])
                dB[block, t, s] = lane_sum(total * drive)
                dC[block, t, s] = lane_sum(slope * load(work, i + states))
                ddrive = ddrive + total * splat(B[n, t, s])
                total = total * load(work, decays + i)
                store(work, adjoints + s, total)
                total = total * load(work, i)
                dstep = dstep + total * load(rate, g * states + s)
                j = block * states + s
                store(drate, j, load(drate, j) + total * step)
            store(du, p, ddrive * step + skip * slope)
            dstep = dstep * splat(float32(LN_2)) + ddrive * value
            store(ddelta, p, dstep * sigmoid(raw))


_Rows, _Map = float32[:, ::1], float32[:, :, ::1]
_Inputs = Tuple((_Rows, _Rows, _Rows, _Map, _Map, _Rows, _Rows))
_Gradients = Tuple((_Rows, _Rows, _Rows, _Map, _Map))

_Numbers = (int64, int64, int64)
forward = compile_kernel(_forward, *_Numbers, _Inputs, _Rows, _Rows, _Rows)
backward = compile_kernel(_backward, *_Numbers, _Inputs, _Rows, _Rows, _Gradients, _Rows)
