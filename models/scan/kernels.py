"""The scan's two inner loops, compiled by numba: forward, and backward from saved states.

One call does one sequence and one group of `LANES` neighbouring channels, which the innermost
loops run over: channels are independent, so that nothing is summed across a vector but the
gradients of B and C. The state of a group (S × LANES numbers) stays in the first-level cache for
the whole sequence. Calls for other groups and sequences may run beside it: no lock is held.

Importing this module imports numba and compiles, or loads from the user's cache.
Layouts: points (N, L, G, LANES), maps (N, L, S), rates (G, S, LANES), all float32 and contiguous.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from numba import config, float32, int32, int64, njit, void
from numba.core import types
from numba.extending import intrinsic

from .cache import kernel_cache

# Sixteen single-precision numbers fill the widest vector of today's processors.
LANES = 16
# Points between two saved states. The backward pass computes the states in between again and
# holds them: 2·CHUNK·S·LANES numbers, which should fit the second-level cache.
CHUNK = 32

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453

# No assumption that values are finite: a NaN that goes in must come out.
_ORDERED = {"contract", "nsz"}
_ANY_ORDER = {"contract", "nsz", "reassoc"}

_Flat = float32[:, ::1]
_Cube = float32[:, :, ::1]
_Points = float32[:, :, :, ::1]
_Saved = float32[:, :, :, :, ::1]


@intrinsic
def _float_of_bits(typing_context, bits):
    """The float32 whose bit pattern an int32 is."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


# The order of operations below matters, so these are never compiled with "reassoc".
@njit(fastmath=_ORDERED)
def _exp2(x):
    """2**x to 2e-7 relative, held within the normal numbers; minimax on [-1/2, 1/2].

    The last term is one exactly: a step of no width decays by nothing, however often.
    """
    x = min(max(x, float32(-126.0)), float32(127.0))
    exponent = int32(x + float32(127.5))
    x = x - (float32(exponent) - float32(127.0))
    p = float32(0.00132647273)
    p = p * x + float32(0.00967151299)
    p = p * x + float32(0.0555073358)
    p = p * x + float32(0.240222424)
    p = p * x + float32(0.693147004)
    p = p * x + float32(1.0)
    return p * _float_of_bits(int32(exponent << 23))


@njit(fastmath=_ORDERED)
def _softplus(x):
    """log(1 + e**x) to 2e-7 relative; log1p(z)/z by a minimax polynomial on [0, 1]."""
    z = _exp2(-abs(x) * float32(LOG2_E))
    p = float32(0.00523268750)
    p = p * z + float32(-0.0295052322)
    p = p * z + float32(0.0782259400)
    p = p * z + float32(-0.136632451)
    p = p * z + float32(0.191060059)
    p = p * z + float32(-0.248429821)
    p = p * z + float32(0.333190974)
    p = p * z + float32(-0.499994933)
    p = p * z + float32(0.99999997)
    return max(x, float32(0.0)) + z * p


@njit(fastmath=_ORDERED)
def _sigmoid(x):
    z = _exp2(-abs(x) * float32(LOG2_E))
    return (float32(1.0) if x >= float32(0.0) else z) / (float32(1.0) + z)


@contextmanager
def _cached_for_user() -> Iterator[bool]:
    """Let numba cache in our own folder unless the user named one; False if nothing can be kept."""
    folder = kernel_cache() if not config.CACHE_DIR else None
    usual = config.CACHE_DIR
    if folder is not None:
        config.CACHE_DIR = str(folder)
    try:
        yield bool(config.CACHE_DIR)
    finally:
        config.CACHE_DIR = usual


def _forward(n, g, u, delta, rate, B, C, D, bias, y, saved, work):
    """Write y[n, :, g] and the state before every CHUNK-th point to saved[n, g].

    rate: A·log2(e). saved: (N, G, chunks, S, LANES), with no chunks where none are wanted.
    work: (S + 2, LANES) scratch.
    """
    states = rate.shape[1]
    state, step, drive = work[:states], work[states], work[states + 1]
    for s in range(states):
        for e in range(LANES):
            state[s, e] = float32(0.0)
    for t in range(u.shape[1]):
        if t % CHUNK == 0 and t // CHUNK < saved.shape[2]:
            for s in range(states):
                for e in range(LANES):
                    saved[n, g, t // CHUNK, s, e] = state[s, e]
        for e in range(LANES):
            step[e] = _softplus(delta[n, t, g, e] + bias[g, e])
        for e in range(LANES):
            drive[e] = step[e] * u[n, t, g, e]
        for e in range(LANES):
            y[n, t, g, e] = D[g, e] * u[n, t, g, e]
        for s in range(states):
            b, c = B[n, t, s], C[n, t, s]
            for e in range(LANES):
                h = _exp2(step[e] * rate[g, s, e]) * state[s, e] + drive[e] * b
                state[s, e] = h
                y[n, t, g, e] += c * h


def _backward(n, g, u, delta, rate, B, C, D, bias, saved, dy, du, ddelta, drate, dB, dC, work):
    """Write the gradients that belong to sequence n and group g, from that of y.

    du, ddelta: as u. drate: (N, G, S, LANES), the gradient of A. dB, dC: (N, G, L, S), this
    group's share. work: (2·CHUNK·S + 2·CHUNK + 3·S + 4, LANES) scratch.
    """
    states = rate.shape[1]
    # before[t·S + s]: state before point t of the chunk; then decays, steps and drives.
    before = work[: (CHUNK + 1) * states]
    row = (CHUNK + 1) * states
    decay = work[row : row + CHUNK * states]
    row += CHUNK * states
    step, drive = work[row : row + CHUNK], work[row + CHUNK : row + 2 * CHUNK]
    row += 2 * CHUNK
    # adjoint: gradient that reaches the state from later points.
    adjoint = work[row : row + states]
    row += states
    total, carried, ddrive, dstep = work[row], work[row + 1], work[row + 2], work[row + 3]
    for s in range(states):
        for e in range(LANES):
            adjoint[s, e] = float32(0.0)
            drate[n, g, s, e] = float32(0.0)
    for chunk in range(saved.shape[2] - 1, -1, -1):
        first = chunk * CHUNK
        length = min(CHUNK, u.shape[1] - first)
        for s in range(states):
            for e in range(LANES):
                before[s, e] = saved[n, g, chunk, s, e]
        for t in range(length):
            for e in range(LANES):
                step[t, e] = _softplus(delta[n, first + t, g, e] + bias[g, e])
            for e in range(LANES):
                drive[t, e] = step[t, e] * u[n, first + t, g, e]
            for s in range(states):
                b = B[n, first + t, s]
                i = t * states + s
                for e in range(LANES):
                    a = _exp2(step[t, e] * rate[g, s, e])
                    decay[i, e] = a
                    before[i + states, e] = a * before[i, e] + drive[t, e] * b
        for t in range(length - 1, -1, -1):
            p = first + t
            for e in range(LANES):
                ddrive[e] = float32(0.0)
                dstep[e] = float32(0.0)
            for s in range(states):
                b, c = B[n, p, s], C[n, p, s]
                i = t * states + s
                db, dc = float32(0.0), float32(0.0)
                for e in range(LANES):
                    total[e] = adjoint[s, e] + c * dy[n, p, g, e]
                for e in range(LANES):
                    db += total[e] * drive[t, e]
                    dc += dy[n, p, g, e] * before[i + states, e]
                dB[n, g, p, s] = db
                dC[n, g, p, s] = dc
                for e in range(LANES):
                    ddrive[e] += total[e] * b
                for e in range(LANES):
                    adjoint[s, e] = total[e] * decay[i, e]
                for e in range(LANES):
                    carried[e] = adjoint[s, e] * before[i, e]
                for e in range(LANES):
                    dstep[e] += carried[e] * rate[g, s, e]
                for e in range(LANES):
                    drate[n, g, s, e] += carried[e] * step[t, e]
            for e in range(LANES):
                du[n, p, g, e] = ddrive[e] * step[t, e] + D[g, e] * dy[n, p, g, e]
            for e in range(LANES):
                slope = _sigmoid(delta[n, p, g, e] + bias[g, e])
                dstep[e] = dstep[e] * float32(LN_2) + ddrive[e] * u[n, p, g, e]
                ddelta[n, p, g, e] = dstep[e] * slope


with _cached_for_user() as _cached:
    forward = njit(
        void(int64, int64, _Points, _Points, _Cube, _Cube, _Cube, _Flat, _Flat, _Points, _Saved,
             _Flat),
        fastmath=_ORDERED, nogil=True, error_model="numpy", cache=_cached,
    )(_forward)
    backward = njit(
        void(int64, int64, _Points, _Points, _Cube, _Cube, _Cube, _Flat, _Flat, _Saved, _Points,
             _Points, _Points, _Points, _Points, _Points, _Flat),
        fastmath=_ANY_ORDER, nogil=True, error_model="numpy", cache=_cached,
    )(_backward)
