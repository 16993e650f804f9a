"""The scan on the processor, with no array of states: numba's kernels, their gradients, threads."""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any, Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .threads import as_arrays, work_off


@lru_cache(maxsize=1)
def compiled() -> Any:
    """The module of compiled kernels, or None where numba is missing or cannot work here.

    The first call in a process takes the time to import numba and to load or compile.
    """
    try:
        return import_module(".kernels", __package__)
    except ModuleNotFoundError:
        return None
    except Exception as error:  # numba's own errors are many; none may keep a user from a result
        warnings.warn(
            f"The compiled scan does not work here, a slower one is used: {error}", stacklevel=3
        )
        return None


def fused_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares: float32 on the CPU.

    Fastest where u, delta, B and C are transposed views of contiguous (N, L, ·) tensors, the
    layout in which y is returned too; others are copied into it. `compiled()` must not be None.
    """
    channels = u.shape[1]
    padding = -channels % compiled().LANES
    u, delta, B, C = (x.transpose(1, 2) for x in (u, delta, B, C))
    if padding:
        u, delta, D, delta_bias = (F.pad(x, (0, padding)) for x in (u, delta, D, delta_bias))
        A = F.pad(A, (0, 0, 0, padding))
    y = _FusedScan.apply(torch.is_grad_enabled(), u, delta, A, B, C, D, delta_bias)
    return y[..., :channels].transpose(1, 2)


class _FusedScan(torch.autograd.Function):
    """Whether a backward pass may follow, then u, delta, A, B, C, D and bias → y.

    u, delta, y: (N, L, E), E a multiple of LANES; B, C: (N, L, S); A: (E, S); D, bias: (E,).
    """

    @staticmethod
    def forward(ctx: Any, keep: bool, *arguments: Tensor) -> Tensor:
        u, delta, A, B, C, D, bias = arguments
        inputs = _arranged(u, delta, A, B, C, D, bias)
        (n, length, channels), states = u.shape, A.shape[1]
        groups = channels // compiled().LANES
        chunks = -(-length // compiled().CHUNK) if keep else 0
        y = torch.empty_like(inputs[0])
        saved = _rows(u.new_empty(n * chunks * channels * states))
        scratch = states + compiled().CHUNK
        _each_group(compiled().forward, n, groups, (inputs, y, saved), scratch)
        ctx.save_for_backward(*inputs, saved)
        return y.view(n, length, channels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, saved = ctx.saved_tensors
        (n, length, channels), states = dy.shape, inputs[3].shape[2]
        groups = channels // compiled().LANES
        dy = _rows(dy.contiguous())
        du, ddelta = torch.empty_like(dy), torch.empty_like(dy)
        drate = _rows(dy.new_empty(n * channels * states))
        dB, dC = (dy.new_empty(n * groups, length, states) for _ in range(2))
        gradients = (du, ddelta, drate, dB, dC)
        scratch = (2 * compiled().CHUNK + 2) * states
        _each_group(compiled().backward, n, groups, (inputs, saved, dy, gradients), scratch)
        dD = (dy * inputs[0]).view(-1, channels).sum(dim=0)
        du, ddelta = (x.view(n, length, channels) for x in (du, ddelta))
        dA = drate.view(n, groups, states, -1).sum(dim=0).transpose(1, 2).reshape(channels, states)
        dB, dC = (x.view(n, groups, length, states).sum(dim=1) for x in (dB, dC))
        return None, du, ddelta, dA, dB, dC, dD, ddelta.sum(dim=(0, 1))


def _rows(tensor: Tensor) -> Tensor:
    return tensor.view(-1, compiled().LANES)


def _arranged(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """The inputs in the kernels' layouts, A as a rate of powers of two."""
    rate = (A * compiled().LOG2_E).view(-1, compiled().LANES, A.shape[1]).transpose(1, 2)
    u, delta, rate, D, bias = (_rows(x.contiguous()) for x in (u, delta, rate, D, bias))
    return u, delta, rate, B.contiguous(), C.contiguous(), D, bias


def _each_group(
    kernel: Callable[..., None], n: int, groups: int, arguments: tuple[Any, ...], scratch: int
) -> None:
    """Run the kernel for every sequence and group.

    arguments: tensors, or tuples of them; each thread adds `scratch` rows of its own.
    """
    arrays = as_arrays(arguments)

    def call(task: tuple[int, int], own: Tensor) -> None:
        kernel(*task, groups, *arrays, own.view(scratch, -1).numpy())

    tasks = ((i, g) for i in range(n) for g in range(groups))
    work_off(call, tasks, scratch * compiled().LANES)
