"""The scan on a card, apart from the kernels: chunks side by side, their gradients, the layouts.

The points are cut into chunks. Each is scanned from a zero state for what it hands on (`ends`); a
short scan over the chunks tells what each starts from (`carry`); then each is scanned again from
there (`outputs`). The gradient goes the same way from last to first (`adjoint_ends`, `carry`,
`gradients`), with the states in between computed again from a saved one every few points. scan.cu
says what each kernel takes and gives; triton_gpu.py has the same five in Triton.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .blocked import blocked_scan

# Channels of a warp, which is what a kernel's block is.
LANES = 32
# States of a channel are kept in registers: more do not fit.
MOST_STATES = 64
LOG2_E = 1.4426950408889634

# Points of a chunk: as many as leave this many warps, which fill the largest card of today.
WARPS = 2048
LEAST_CHUNK, MOST_CHUNK = 32, 256
# Numbers a channel in shared memory, the states between two saved ones: 32 KiB a warp.
HELD = 256


@dataclass(frozen=True)
class Cut:
    """How the points of N sequences of E channels are cut.

    states: S, a multiple of 4. chunk: points of a chunk, a multiple of part, the points between two
    saved states; both powers of two.
    """

    sequences: int
    length: int
    channels: int
    states: int

    @property
    def groups(self) -> int:
        """Warps side by side that hold all channels."""
        return -(-self.channels // LANES)

    @property
    def chunk(self) -> int:
        """Points of a chunk."""
        wanted, chunk = self.sequences * self.length * self.groups / WARPS, LEAST_CHUNK
        while chunk < min(wanted, MOST_CHUNK):
            chunk *= 2
        return chunk

    @property
    def chunks(self) -> int:
        """Of a sequence."""
        return -(-self.length // self.chunk)

    @property
    def part(self) -> int:
        """Points between two saved states."""
        part = 16
        while part * self.states > HELD:
            part //= 2
        return part

    @property
    def by_chunk(self) -> tuple[int, int]:
        """The grid of the kernels that scan: (chunks · groups, N)."""
        return self.chunks * self.groups, self.sequences

    @property
    def by_state(self) -> tuple[int, int]:
        """The grid of the kernel that carries from chunk to chunk: (S·E / lanes, N)."""
        return -(-self.states * self.channels // LANES), self.sequences

    def empty_states(self, like: Tensor, parts: int = 1) -> Tensor:
        """Room for `parts` states of each chunk."""
        return like.new_empty(self.sequences, self.chunks * parts, self.states, self.channels)


# Starts a kernel: its name, the cut, the grid, the tensors and then the whole numbers it takes.
Launch = Callable[[str, Cut, "tuple[int, int]", "tuple[Tensor, ...]", "tuple[int, ...]"], None]


def chunked_scan(
    launch: Launch,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    delta_bias: Tensor,
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares, by these kernels: float32.

    Fastest where u and delta are transposed views of contiguous (N, L, E) tensors, the layout in
    which y is returned too. More than MOST_STATES states a channel go another way.
    """
    if A.shape[1] > MOST_STATES:
        return blocked_scan(u, delta, A, B, C, D, delta_bias)
    if u.numel() == 0:
        return torch.zeros_like(u)
    u, delta, B, C = (x.transpose(1, 2) for x in (u, delta, B, C))
    # A state of rate zero that nothing feeds stays zero.
    A, B, C = (F.pad(x, (0, -A.shape[1] % 4)) for x in (A, B, C))
    keep = torch.is_grad_enabled()
    return _ChunkedScan.apply(launch, keep, u, delta, A, B, C, D, delta_bias).transpose(1, 2)


class _ChunkedScan(torch.autograd.Function):
    """The kernels, whether a backward pass may follow, then u, delta, A, B, C, D and bias → y.

    u, delta, y: (N, L, E); B, C: (N, L, S); A: (E, S); D, bias: (E,).
    """

    @staticmethod
    def forward(ctx: Any, launch: Launch, keep: bool, *arguments: Tensor) -> Tensor:
        u, delta, A, B, C, D, bias = (_aligned(x) for x in arguments)
        rate = (A * LOG2_E).T.contiguous()
        cut = Cut(u.shape[0], u.shape[1], u.shape[2], A.shape[1])
        sizes = cut.length, cut.channels, cut.chunk
        starts, totals = _starts(launch, cut, (u, delta, rate, B, bias), sizes)
        y = torch.empty_like(u)
        saved = cut.empty_states(u, cut.chunk // cut.part) if keep else starts
        inputs = u, delta, rate, B, C, D, bias
        launch("outputs", cut, cut.by_chunk, (*inputs, starts, y, saved), (*sizes, int(keep)))
        if keep:
            ctx.launch, ctx.cut = launch, cut
            ctx.save_for_backward(*inputs, totals, saved)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, totals, saved = ctx.saved_tensors
        launch, cut, dy = ctx.launch, ctx.cut, _aligned(dy)
        u, delta, rate, _, C, _, bias = inputs
        sizes = cut.length, cut.channels, cut.chunk
        adjoints = torch.zeros_like(cut.empty_states(u))
        if cut.chunks > 1:
            before = cut.empty_states(u)
            launch("adjoint_ends", cut, cut.by_chunk, (delta, rate, C, bias, dy, before), sizes)
            _carry(launch, cut, (before, totals, rate, adjoints), reverse=True)
        du, ddelta, dA = torch.empty_like(u), torch.empty_like(u), cut.empty_states(u)
        maps = cut.sequences, cut.groups, cut.length, cut.states
        dB, dC = u.new_empty(maps), u.new_empty(maps)
        tensors = *inputs, saved, dy, adjoints, du, ddelta, dA, dB, dC
        launch("gradients", cut, cut.by_chunk, tensors, sizes)
        dA, dB, dC = dA.sum(dim=(0, 1)).T, dB.sum(dim=1), dC.sum(dim=1)
        dD, dbias = (dy * u).sum(dim=(0, 1)), ddelta.sum(dim=(0, 1))
        return None, None, du, ddelta, dA, dB, dC, dD, dbias


def _starts(
    launch: Launch, cut: Cut, tensors: tuple[Tensor, ...], sizes: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """The states that the chunks start from, and the sum of each chunk's steps, (N, chunks, E)."""
    like = tensors[0]
    starts = torch.zeros_like(cut.empty_states(like))
    totals = like.new_empty(cut.sequences, cut.chunks, cut.channels)
    if cut.chunks > 1:
        after = cut.empty_states(like)
        launch("ends", cut, cut.by_chunk, (*tensors, after, totals), sizes)
        _carry(launch, cut, (after, totals, tensors[2], starts), reverse=False)
    return starts, totals


def _carry(launch: Launch, cut: Cut, tensors: tuple[Tensor, ...], *, reverse: bool) -> None:
    launch("carry", cut, cut.by_state, tensors, (cut.channels, cut.chunks, int(reverse)))


def _aligned(tensor: Tensor) -> Tensor:
    """Contiguous, and begun where the kernels can read four numbers at once."""
    tensor = tensor.contiguous()
    return tensor.clone() if tensor.data_ptr() % 16 else tensor
