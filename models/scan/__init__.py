"""The selective scan: one state-space recurrence along a sequence, several ways to compute it.

    Δ_l = softplus(delta_l + delta_bias)
    h_l = exp(Δ_l A) ∘ h_{l-1} + (Δ_l u_l) ⊗ B_l,   h_0 = 0
    y_l = h_l C_l + D ∘ u_l

`selective_scan` is the one door. Behind it stand `reference` (readable, sequential, the oracle),
`blocked` (torch alone, on any device), `fused` (numba, on the processor) and three for CUDA cards:
`nvrtc` and `triton_gpu` (our kernels, compiled on the user's machine by what torch brings along)
and `mamba` (the kernel of mamba-ssm); `choice` takes the fastest that is right. Glossary: N
sequences, E channels, S states a channel, L points a sequence.
"""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

from .blocked import blocked_scan
from .choice import choice_for
from .fused import compiled, fused_scan
from .mamba import mamba_scan
from .reference import reference_scan

__all__ = [
    "blocked_scan",
    "choice_for",
    "fused_scan",
    "mamba_scan",
    "reference_scan",
    "selective_scan",
]


def selective_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """Scan each sequence once, first point to last, by the fastest form this machine has.

    u, delta: (N, E, L), the input and the step width before its bias and softplus.
    A: (E, S), decay rates, negative. B, C: (N, S, L), input and output maps of each point.
    D: (E,), the skip. delta_bias: (E,). All on one device and of one floating dtype.
    Fastest where u, delta, B and C are transposed views of contiguous (N, L, ·) tensors; any
    other layout is copied into that one first.
    Returns y, (N, E, L), in the dtype of u. Gradients reach every argument.
    Raises ValueError where the shapes do not fit together.
    """
    check_shapes(u, delta, A, B, C, D, delta_bias)
    return _fastest(u)(u, delta, A, B, C, D, delta_bias)


def _fastest(u: Tensor) -> Callable[..., Tensor]:
    """The form to use for arguments of this dtype on this device."""
    if u.dtype == torch.float32:
        if u.device.type == "cpu" and compiled() is not None:
            return fused_scan
        if u.device.type == "cuda":
            return choice_for(u.device).scan
    return blocked_scan


def check_shapes(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> None:
    """Raise ValueError, naming the argument, unless the seven fit together."""
    if u.dim() != 3 or A.dim() != 2:
        raise ValueError(
            f"u must be (N, E, L) and A (E, S); got {tuple(u.shape)} and {tuple(A.shape)}."
        )
    (n, e, length), s = u.shape, A.shape[1]
    wanted = {
        "delta": (n, e, length),
        "A": (e, s),
        "B": (n, s, length),
        "C": (n, s, length),
        "D": (e,),
        "delta_bias": (e,),
    }
    given = {"delta": delta, "A": A, "B": B, "C": C, "D": D, "delta_bias": delta_bias}
    for name, shape in wanted.items():
        if tuple(given[name].shape) != shape:
            raise ValueError(f"{name} must be {shape}; got {tuple(given[name].shape)}.")
