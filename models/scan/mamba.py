"""The CUDA kernel of the mamba-ssm package, where the user has it; trusted only once it agrees."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, Callable

import torch
from torch import Tensor

from .blocked import blocked_scan

# Relative to the largest value: both sum the same float32 terms, in another order.
AGREEMENT = 1e-4


def mamba_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares: float32 on CUDA.

    `mamba_kernel()` must not be None.
    """
    u, delta, B, C = (x if x.stride(-1) == 1 else x.contiguous() for x in (u, delta, B, C))
    return mamba_kernel()(
        u, delta, A.contiguous(), B, C, D.contiguous(), None, delta_bias.contiguous(), True
    )


@lru_cache(maxsize=1)
def mamba_kernel() -> Any:
    """mamba-ssm's `selective_scan_fn` if it imports and agrees with `blocked_scan`, else None."""
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

        agrees = _agrees(selective_scan_fn)
    except ModuleNotFoundError:
        return None
    except Exception as error:  # a build for another torch or card fails in many ways
        warnings.warn(f"mamba-ssm does not work here, another scan is used: {error}", stacklevel=3)
        return None
    return selective_scan_fn if agrees else None


def _agrees(kernel: Callable[..., Tensor]) -> bool:
    """Compare values and gradients on the card with those of torch alone, on a small input."""
    random = torch.Generator().manual_seed(0)
    shapes = {
        "u": (2, 8, 70),
        "delta": (2, 8, 70),
        "A": (8, 4),
        "B": (2, 4, 70),
        "C": (2, 4, 70),
        "D": (8,),
        "bias": (8,),
    }
    given = {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}
    given["A"] = -given["A"].exp()
    u, delta, A, B, C, D, bias = (x.cuda().requires_grad_() for x in given.values())
    with torch.enable_grad():
        theirs = kernel(u, delta, A, B, C, D, None, bias, True)
        ours = blocked_scan(u, delta, A, B, C, D, bias)
        leaves = (u, delta, A, B, C, D, bias)
        pairs = [(theirs, ours)]
        pairs += zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (theirs, ours)))
    return all((a - b).abs().max() <= AGREEMENT * b.abs().max() for a, b in pairs)
