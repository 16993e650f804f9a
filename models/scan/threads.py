"""Threads for compiled kernels: as many as torch uses, the caller's among them.

Threads of our own rather than numba's: its default layer ends the process when two callers meet,
and its OpenMP would stand beside torch's.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any, Callable

import torch
from torch import Tensor

# Of a thread: its stack, and what it needs to begin.
_ROOM = 32 * 2**20


def work_off(call: Callable[[Any, Tensor], None], tasks: Iterable[Any], scratch: int) -> None:
    """Do call(task, own) for every task, in any order, on torch's number of threads.

    own: a flat tensor of `scratch` float32 that a thread has for itself.
    """
    left = deque(tasks)
    helpers = min(torch.get_num_threads(), len(left)) - 1

    def take() -> None:
        own = torch.empty(scratch)
        while True:
            try:
                task = left.popleft()
            except IndexError:
                return
            call(task, own)

    started = [_pool(helpers).submit(take) for _ in range(helpers)]
    take()
    for helper in started:
        # One that has not begun finds nothing left to do (in a forked child it never would begin).
        if not helper.cancel():
            helper.result()


def as_arrays(argument: Any) -> Any:
    """The same memory as numpy arrays: a tensor, or tuples of them."""
    if isinstance(argument, Tensor):
        return argument.detach().numpy()
    return tuple(as_arrays(tensor) for tensor in argument)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """So many threads, all begun; OSError where the system has no room for them.

    Asked for first: an executor waits for ever for a thread that finds no memory at its start.
    """
    mmap.mmap(-1, threads * _ROOM).close()
    pool, begun = (
        ThreadPoolExecutor(threads, thread_name_prefix="rasd-kernel"),
        Barrier(threads + 1),
    )
    for _ in range(threads):
        pool.submit(begun.wait)
    begun.wait()
    return pool
