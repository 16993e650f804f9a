"""The scan on the processor, with no array of states: numba's kernels, their gradients, threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import ModuleType
from typing import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


@lru_cache(maxsize=1)
def kernels() -> ModuleType | None:
    """The compiled kernels, or None where numba is missing or cannot work here.

    The first call in a process takes the time to import numba and to load or compile.
    """
    try:
        from . import kernels as module
    except Exception:  # numba's own errors are many, and none may keep a user from a result
        return None
    return module


def fused_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares: float32 on the CPU.

    Fastest where u, delta, B and C are transposed views of contiguous (N, L, ·) tensors, the
    layout in which y is returned too; others are copied into it. `kernels()` must not be None.
    """
    channels = u.shape[1]
    padding = -channels % kernels().LANES
    u, delta = (F.pad(x.transpose(1, 2), (0, padding)) for x in (u, delta))
    D, delta_bias = (F.pad(x, (0, padding)) for x in (D, delta_bias))
    A = F.pad(A, (0, 0, 0, padding))
    B, C = B.transpose(1, 2), C.transpose(1, 2)
    y = _FusedScan.apply(u, delta, A, B, C, D, delta_bias)
    return y[..., :channels].transpose(1, 2)


class _FusedScan(torch.autograd.Function):
    """u, delta, y: (N, L, E), E a multiple of LANES; B, C: (N, L, S); A: (E, S); D, bias: (E,)."""

    @staticmethod
    def forward(ctx, u, delta, A, B, C, D, bias):
        kernel = kernels()
        inputs = _arranged(u, delta, A, B, C, D, bias)
        n, length, groups, lanes = inputs[0].shape
        states = A.shape[1]
        chunks = -(-length // kernel.CHUNK) if any(ctx.needs_input_grad) else 0
        saved = u.new_empty(n, groups, chunks, states, lanes)
        y = torch.empty_like(inputs[0])
        _each_group(kernel.forward, n, groups, (*inputs, y, saved), states + 2)
        ctx.save_for_backward(*inputs, saved)
        return y.view(u.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        kernel = kernels()
        *inputs, saved = ctx.saved_tensors
        u, rate, B = inputs[0], inputs[2], inputs[3]
        n, length, groups, lanes = u.shape
        states = B.shape[2]
        dy = dy.contiguous().view(u.shape)
        du, ddelta = torch.empty_like(u), torch.empty_like(u)
        drate = u.new_empty(n, *rate.shape)
        dB, dC = (u.new_empty(n, groups, length, states) for _ in range(2))
        rows = (2 * kernel.CHUNK + 2) * states + 2 * kernel.CHUNK + 4
        _each_group(
            kernel.backward, n, groups, (*inputs, saved, dy, du, ddelta, drate, dB, dC), rows
        )
        du, ddelta, dD = (x.view(n, length, -1) for x in (du, ddelta, dy * u))
        dA = drate.sum(dim=0).transpose(1, 2).reshape(-1, states)
        return du, ddelta, dA, dB.sum(dim=1), dC.sum(dim=1), dD.sum((0, 1)), ddelta.sum((0, 1))


def _arranged(u, delta, A, B, C, D, bias) -> tuple[Tensor, ...]:
    """The inputs in the kernels' layouts; A as a rate of powers of two, (G, S, LANES)."""
    lanes = kernels().LANES
    groups = u.shape[2] // lanes
    points = tuple(x.contiguous().view(*u.shape[:2], groups, lanes) for x in (u, delta))
    rate = (A * kernels().LOG2_E).view(groups, lanes, -1).transpose(1, 2).contiguous()
    channels = tuple(x.contiguous().view(groups, lanes) for x in (D, bias))
    return (*points, rate, B.contiguous(), C.contiguous(), *channels)


def _each_group(
    kernel: Callable[..., None], n: int, groups: int, tensors: tuple[Tensor, ...], rows: int
) -> None:
    """Run the kernel for every sequence and group on torch's number of threads, this one too.

    Threads of our own rather than numba's: its default layer ends the process when two callers
    meet, and its OpenMP would stand beside torch's.
    """
    arrays = [tensor.detach().numpy() for tensor in tensors]
    lanes = kernels().LANES
    tasks = deque((i, g) for i in range(n) for g in range(groups))

    def work_off() -> None:
        scratch = torch.empty(rows, lanes).numpy()
        while tasks:
            try:
                task = tasks.popleft()
            except IndexError:
                return
            kernel(*task, *arrays, scratch)

    threads = min(torch.get_num_threads(), len(tasks))
    helpers = [_pool(threads - 1).submit(work_off) for _ in range(threads - 1)]
    work_off()
    for helper in helpers:
        # One that has not begun has nothing left to do (and in a forked child never will begin).
        if not helper.cancel():
            helper.result()


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="selective-scan")
