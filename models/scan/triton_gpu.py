"""The scan's kernels in Triton: a program is a warp, its tile all states of 32 channels.

The same five as in scan.cu, argument for argument; chunked.py starts them. Importing this module
imports Triton, which wants a C compiler when a kernel is first started. Where TRITON_INTERPRET was
set before, the kernels run on the processor, for tests.
"""

from __future__ import annotations

import contextlib

import torch
import triton
import triton.language as tl
from torch import Tensor

from .chunked import LANES as CHANNELS
from .chunked import LOG2_E as _LOG2_E
from .chunked import Cut, chunked_scan

LANES = tl.constexpr(CHANNELS)
LOG2_E = tl.constexpr(_LOG2_E)
LN_2 = tl.constexpr(1 / _LOG2_E)
# Chunks that `carry` reads at once.
AHEAD = tl.constexpr(16)


def triton_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares: float32, at most 64 states."""
    return chunked_scan(_launch, u, delta, A, B, C, D, delta_bias)


def _launch(
    name: str, cut: Cut, grid: tuple[int, int], tensors: tuple[Tensor, ...], sizes: tuple[int, ...]
) -> None:
    constants = {"STATES": cut.states, "TILE": triton.next_power_of_2(cut.states)}
    if name in {"outputs", "gradients"}:
        constants["PART"] = cut.part
    if name == "gradients":
        tensors = (*tensors, cut.empty_states(tensors[0], cut.part))
    card = tensors[0].device
    with torch.cuda.device(card) if card.type == "cuda" else contextlib.nullcontext():
        _KERNELS[name][grid](*tensors, *sizes, **constants, num_warps=1)


@triton.jit
def _softplus(x):
    """log(1 + e**x); the logarithm as 2·artanh(z / (2 + z)), whose series is good to 1e-8."""
    z = tl.exp2(-tl.abs(x) * LOG2_E)
    w = z / (2.0 + z)
    q = w * w
    series = 1.0 / 13 + q * (1.0 / 15)
    series = 1.0 / 9 + q * (1.0 / 11 + q * series)
    series = 1.0 / 5 + q * (1.0 / 7 + q * series)
    series = 1.0 + q * (1.0 / 3 + q * series)
    return tl.where(x > 0, x, 0.0) + 2.0 * w * series


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp2(-x * LOG2_E))


@triton.jit
def _work(length, channels, chunk):
    """The rows of N·L that a program has, its chunk's number, its channels, and which are there."""
    groups = tl.cdiv(channels, LANES)
    chunks = tl.cdiv(length, chunk)
    sequence = tl.program_id(1).to(tl.int64)
    number = tl.program_id(0) // groups
    group = tl.program_id(0) % groups
    first = sequence * length + number * chunk
    last = sequence * length + tl.minimum((number + 1) * chunk, length)
    channel = group * LANES + tl.arange(0, LANES)
    return first, last, sequence * chunks + number, channel, channel < channels


@triton.jit
def _row(values, place, there):
    """One number a channel."""
    return tl.load(values + place, mask=there, other=0.0)


@triton.jit
def _map(values, row, STATES: tl.constexpr, TILE: tl.constexpr):
    """A row of B or C, as a column of a tile."""
    state = tl.arange(0, TILE)
    return tl.load(values + row * STATES + state, mask=state < STATES, other=0.0)[:, None]


@triton.jit
def _tile(row, channels, channel, there, STATES: tl.constexpr, TILE: tl.constexpr):
    """Where the states of a row of (rows, STATES, E) lie, and which of the tile are there."""
    state = tl.arange(0, TILE)[:, None]
    return (row * STATES + state) * channels + channel[None, :], (state < STATES) & there[None, :]


@triton.jit
def _read(values, row, channels, channel, there, STATES: tl.constexpr, TILE: tl.constexpr):
    place, real = _tile(row, channels, channel, there, STATES, TILE)
    return tl.load(values + place, mask=real, other=0.0)


@triton.jit
def _write(values, row, h, channels, channel, there, STATES: tl.constexpr, TILE: tl.constexpr):
    place, real = _tile(row, channels, channel, there, STATES, TILE)
    tl.store(values + place, h, mask=real)


# The kernels' many arguments: Triton passes pointers and numbers one by one.
@triton.jit(do_not_specialize=["length"])
def _ends(  # noqa: PLR0913
    u, delta, rate, B, bias, after, totals, length, channels, chunk,
    STATES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    first, last, piece, channel, there = _work(length, channels, chunk)
    rates = _read(rate, 0, channels, channel, there, STATES, TILE)
    offset = _row(bias, channel, there)
    h = tl.zeros((TILE, LANES), tl.float32)
    total = tl.zeros((LANES,), tl.float32)
    for row in range(first, last):
        point = row * channels + channel
        step = _softplus(_row(delta, point, there) + offset)
        drive = step * _row(u, point, there)
        total += step
        h = tl.exp2(step[None, :] * rates) * h + drive[None, :] * _map(B, row, STATES, TILE)
    _write(after, piece, h, channels, channel, there, STATES, TILE)
    tl.store(totals + piece * channels + channel, total, mask=there)


@triton.jit
def _then(decay, added, later_decay, later_added):
    """Two steps h → decay·h + added as one."""
    return decay * later_decay, later_decay * added + later_added


@triton.jit(do_not_specialize=["chunks"])
def _carry(  # noqa: PLR0913
    after, totals, rate, starts, channels, chunks, reverse,
    STATES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    width = STATES * channels
    place = tl.program_id(0) * LANES + tl.arange(0, LANES)
    there = place < width
    own = _row(rate, place, there)[None, :]
    base = tl.program_id(1).to(tl.int64) * chunks
    ahead = tl.arange(0, AHEAD)[:, None]
    h = tl.zeros((LANES,), tl.float32)
    for begin in range(0, chunks, AHEAD):
        count = begin + ahead
        row = base + tl.where(reverse != 0, chunks - 1 - count, count)
        real = (count < chunks) & there[None, :]
        decay = tl.exp2(_row(totals, row * channels + (place % channels)[None, :], real) * own)
        added = _row(after, row * width + place[None, :], real)
        added = tl.where(ahead == 0, decay * h[None, :] + added, added)
        _, state = tl.associative_scan((decay, added), 0, _then)
        # A chunk starts from what the one before it ends with.
        start = base + tl.where(reverse != 0, chunks - 1 - begin, begin)
        tl.store(starts + start * width + place, h, mask=there)
        following = tl.where(reverse != 0, row - 1, row + 1)
        inside = (ahead < AHEAD - 1) & (count + 1 < chunks) & there[None, :]
        tl.store(starts + following * width + place[None, :], state, mask=inside)
        h = tl.sum(tl.where(ahead == AHEAD - 1, state, 0.0), axis=0)


@triton.jit(do_not_specialize=["length"])
def _outputs(  # noqa: PLR0913
    u, delta, rate, B, C, D, bias, starts, y, saved, length, channels, chunk, keep,
    STATES: tl.constexpr, TILE: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    first, last, piece, channel, there = _work(length, channels, chunk)
    rates = _read(rate, 0, channels, channel, there, STATES, TILE)
    h = _read(starts, piece, channels, channel, there, STATES, TILE)
    offset, skip = _row(bias, channel, there), _row(D, channel, there)
    for row in range(first, last):
        done = row - first
        if (keep != 0) & (done % PART == 0):
            save = piece * (chunk // PART) + done // PART
            _write(saved, save, h, channels, channel, there, STATES, TILE)
        point = row * channels + channel
        value = _row(u, point, there)
        step = _softplus(_row(delta, point, there) + offset)
        drive = step * value
        h = tl.exp2(step[None, :] * rates) * h + drive[None, :] * _map(B, row, STATES, TILE)
        total = skip * value + tl.sum(h * _map(C, row, STATES, TILE), axis=0)
        tl.store(y + point, total, mask=there)


@triton.jit(do_not_specialize=["length"])
def _adjoint_ends(  # noqa: PLR0913
    delta, rate, C, bias, dy, before, length, channels, chunk,
    STATES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    first, last, piece, channel, there = _work(length, channels, chunk)
    rates = _read(rate, 0, channels, channel, there, STATES, TILE)
    offset = _row(bias, channel, there)
    g = tl.zeros((TILE, LANES), tl.float32)
    for done in range(last - first):
        row = last - 1 - done
        point = row * channels + channel
        step, slope = _softplus(_row(delta, point, there) + offset), _row(dy, point, there)
        g = tl.exp2(step[None, :] * rates) * (g + slope[None, :] * _map(C, row, STATES, TILE))
    _write(before, piece, g, channels, channel, there, STATES, TILE)


@triton.jit
def _replay(  # noqa: PLR0913
    u, delta, B, held, h, rates, offset, begin, end, room, channels, channel, there,
    STATES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """The state after points [begin, end) from the one before; those before each into `held`."""
    for row in range(begin, end):
        _write(held, room + row - begin, h, channels, channel, there, STATES, TILE)
        point = row * channels + channel
        step = _softplus(_row(delta, point, there) + offset)
        drive = step * _row(u, point, there)
        h = tl.exp2(step[None, :] * rates) * h + drive[None, :] * _map(B, row, STATES, TILE)
    return h


@triton.jit(do_not_specialize=["length"])
def _gradients(  # noqa: PLR0913
    u, delta, rate, B, C, D, bias, saved, dy, adjoints, du, ddelta, dA, dB, dC, held,
    length, channels, chunk,
    STATES: tl.constexpr, TILE: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """held: room for the states before the points of a part, (N·chunks·PART, STATES, E)."""
    first, last, piece, channel, there = _work(length, channels, chunk)
    map_row = tl.program_id(1).to(tl.int64) * (tl.cdiv(channels, LANES) - 1)
    map_row = (map_row + tl.program_id(0) % tl.cdiv(channels, LANES)) * length
    state = tl.arange(0, TILE)
    rates = _read(rate, 0, channels, channel, there, STATES, TILE)
    g = _read(adjoints, piece, channels, channel, there, STATES, TILE)
    offset, skip = _row(bias, channel, there), _row(D, channel, there)
    da = tl.zeros((TILE, LANES), tl.float32)
    parts = tl.cdiv(last - first, PART)
    for done in range(parts):
        part = parts - 1 - done
        begin = first + part * PART
        end = tl.minimum(begin + PART, last)
        h = _read(saved, piece * (chunk // PART) + part, channels, channel, there, STATES, TILE)
        # `held` is written and read by this program alone, but by other lanes for all Triton says.
        tl.debug_barrier()
        h = _replay(
            u, delta, B, held, h, rates, offset, begin, end, piece * PART, channels, channel,
            there, STATES, TILE,
        )  # fmt: skip
        tl.debug_barrier()
        for back in range(end - begin):
            row = end - 1 - back
            place = piece * PART + row - begin
            earlier = _read(held, place, channels, channel, there, STATES, TILE)
            point = row * channels + channel
            raw = _row(delta, point, there) + offset
            value, slope = _row(u, point, there), _row(dy, point, there)
            step = _softplus(raw)
            total = g + slope[None, :] * _map(C, row, STATES, TILE)
            maps = (map_row + row) * STATES + state
            driven = tl.sum(total * (step * value)[None, :], axis=1)
            tl.store(dB + maps, driven, mask=state < STATES)
            tl.store(dC + maps, tl.sum(slope[None, :] * h, axis=1), mask=state < STATES)
            ddrive = tl.sum(total * _map(B, row, STATES, TILE), axis=0)
            g = tl.exp2(step[None, :] * rates) * total
            dstep = tl.sum(g * earlier * rates, axis=0) * LN_2 + ddrive * value
            da += g * earlier * step[None, :]
            h = earlier
            tl.store(du + point, ddrive * step + skip * slope, mask=there)
            tl.store(ddelta + point, dstep * _sigmoid(raw), mask=there)
    _write(dA, piece, da, channels, channel, there, STATES, TILE)


_KERNELS = {
    "ends": _ends,
    "carry": _carry,
    "outputs": _outputs,
    "adjoint_ends": _adjoint_ends,
    "gradients": _gradients,
}
