"""The one form of this room's kernels: a task's number, sizes, and addresses of flat arrays."""

from __future__ import annotations

from typing import Any, Callable

from numba import int64
from numba.types import Tuple, UniTuple

from ..scan.compiling import compile_kernel


def compile_flat(
    kernel: Callable[..., None],
    *,
    sizes: int,
    indices: int = 0,
    inputs: int = 0,
    weights: int = 0,
    outputs: int = 0,
) -> Callable[..., None]:
    """Compile a kernel(task, sizes, indices, inputs, weights, outputs, own).

    The numbers say how many sizes it takes, and how many arrays of each kind: of int64 as
    `indices`, of float32 as the rest. own: a thread's scratch, float32.
    """
    groups = (sizes, indices, inputs, weights, outputs)
    types: list[Any] = [UniTuple(int64, count) if count else Tuple(()) for count in groups]
    return compile_kernel(kernel, int64, *types, int64)
