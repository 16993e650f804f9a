"""The scan in torch alone: long vectors instead of one point a time, in bounded memory.

A block of the sequence is cut into `LANES` pieces that are scanned side by side, each from a zero
state; a short scan over the pieces' ends then tells what each should have started from. Only
decays (never their inverses) are multiplied up, so no length overflows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

# Pieces of a block that are scanned side by side, and the points in each of them. A block's
# temporaries, the bound on memory, are some four arrays of N·E·S·LANES·STEPS.
LANES = 32
STEPS = 32


def blocked_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares, on any device and dtype.

    A backward pass computes each block again, so that its memory stays bounded too.
    """
    state = u.new_zeros(u.shape[0], *A.shape)
    size = LANES * STEPS
    outputs = []
    for start in range(0, u.shape[2], size):
        part = slice(start, start + size)
        output, state = checkpoint(
            _block,
            state,
            u[..., part],
            delta[..., part],
            A,
            B[..., part],
            C[..., part],
            D,
            delta_bias,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        outputs.append(output)
    return torch.cat(outputs, dim=2) if outputs else torch.zeros_like(u)


def _block(
    state: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    delta_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """One block from the state (N, E, S) before it: its y, and the state after it."""
    length = u.shape[2]
    lanes = min(LANES, length)
    # A padded point has a step of zero: it decays by one and adds nothing.
    padding = -length % lanes
    step = F.pad(F.softplus(delta + delta_bias[:, None]), (0, padding))
    drive = step * F.pad(u, (0, padding))
    B, C = (_in_lanes(F.pad(x, (0, padding)), lanes)[:, :, None] for x in (B, C))
    drive = _in_lanes(drive, lanes)[:, :, :, None] * B
    states = _scan_lanes(state, A, _in_lanes(step, lanes), drive)
    output = (states * C).sum(dim=3)
    output = output.permute(1, 2, 3, 0).flatten(start_dim=2)[..., :length]
    return output + D[:, None] * u, states[-1, ..., -1]


def _in_lanes(sequence: Tensor, lanes: int) -> Tensor:
    """(N, X, L) as (L/lanes, N, X, lanes): step within a piece first, pieces last."""
    return sequence.unflatten(2, (lanes, -1)).permute(3, 0, 1, 2)


def _scan_lanes(state: Tensor, A: Tensor, step: Tensor, drive: Tensor) -> Tensor:
    """States at every point, (T, N, E, S, lanes), of pieces that follow one another.

    state: (N, E, S) before them; step: (T, N, E, lanes); drive: (T, N, E, S, lanes).
    """
    rate = A[:, :, None]
    decay = torch.exp(step[:, :, :, None] * rate)
    local = _Recurrence.apply(torch.zeros_like(drive[0]), decay, drive)
    decay_so_far = torch.exp(step.cumsum(dim=0)[:, :, :, None] * rate)
    ends = _Recurrence.apply(
        state, decay_so_far[-1].movedim(-1, 0), local[-1].movedim(-1, 0)
    ).movedim(0, -1)
    starts = torch.cat([state[..., None], ends[..., :-1]], dim=-1)
    return torch.addcmul(local, decay_so_far, starts)


class _Recurrence(torch.autograd.Function):
    """h_t = decay_t ∘ h_{t-1} + drive_t along the first axis, from h_{-1} = start."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, decay: Tensor, drive: Tensor) -> Tensor:
        states = torch.empty_like(drive)
        previous = start
        for t in range(len(drive)):
            previous = torch.addcmul(drive[t], decay[t], previous, out=states[t])
        ctx.save_for_backward(start, decay, states)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        start, decay, states = ctx.saved_tensors
        total = torch.empty_like(states)
        following = grad[-1]
        total[-1] = following
        for t in range(len(grad) - 2, -1, -1):
            following = torch.addcmul(grad[t], decay[t + 1], following, out=total[t])
        before = torch.cat([start[None], states[:-1]])
        return decay[0] * total[0], total * before, total
