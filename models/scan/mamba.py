"""The CUDA kernel of the mamba-ssm package, where the user has it."""

from __future__ import annotations

from functools import lru_cache
from typing import Callable

from torch import Tensor


def mamba_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares: float32 on CUDA.

    ImportError where the package is missing or was built for another torch.
    """
    u, delta, B, C = (x if x.stride(-1) == 1 else x.contiguous() for x in (u, delta, B, C))
    return mamba_kernel()(
        u, delta, A.contiguous(), B, C, D.contiguous(), None, delta_bias.contiguous(), True
    )


@lru_cache(maxsize=1)
def mamba_kernel() -> Callable[..., Tensor]:
    """mamba-ssm's `selective_scan_fn`; ImportError where it is not to be had."""
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    return selective_scan_fn
