"""Compiled kernels for the network on the processor, and the way to run them.

The modules beside this one import numba and compile, or load from the user's cache, when they are
imported; this one does not. `compiled()` is the door. What the kernels read and write is flat in
memory, points as rows of channels; weights come (inputs, outputs), ready for a product.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Callable

from torch import Tensor

from ..scan.threads import work_off


@lru_cache(maxsize=1)
def compiled() -> Any:
    """Every kernel by its name, or None where numba is missing or cannot work here."""
    try:
        names = ("attend", "discern", "frame", "grid", "order", "rank", "terms", "terms_back")
        modules = [import_module(f".{name}", __package__) for name in names]
    except ModuleNotFoundError:
        return None
    except Exception as error:  # numba's own errors are many; none may keep a user from a result
        warnings.warn(
            f"The compiled kernels do not work here, torch alone is used: {error}", stacklevel=3
        )
        return None
    kernels = SimpleNamespace()
    for module in modules:
        vars(kernels).update(vars(module))
    return kernels


def run(
    kernel: Callable[..., None],
    tasks: int,
    sizes: tuple[int, ...],
    *,
    indices: tuple[Tensor, ...] = (),
    inputs: tuple[Tensor, ...] = (),
    weights: tuple[Tensor, ...] = (),
    outputs: tuple[Tensor, ...] = (),
    scratch: int = 0,
) -> None:
    """Do every task of a kernel, on torch's number of threads.

    indices are int64, the rest float32, all contiguous and as the kernel says. scratch: numbers
    that a thread has for itself. Raises ValueError where a tensor is not contiguous.
    """
    addresses = [
        tuple(_address(tensor) for tensor in group) for group in (indices, inputs, weights, outputs)
    ]

    def call(task: int, own: Tensor) -> None:
        kernel(task, sizes, *addresses, own.data_ptr())

    work_off(call, range(tasks), scratch)


def _address(tensor: Tensor) -> int:
    if not tensor.is_contiguous():
        raise ValueError(f"a kernel reads contiguous tensors, not strides {tensor.stride()}")
    return tensor.data_ptr()
