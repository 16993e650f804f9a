"""The readable scan: one step after another, as the recurrence is written. It is the oracle."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def reference_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares, in the dtype of its arguments.

    Slow (tens of microseconds a point) and meant for checking, best in float64.
    """
    step = F.softplus(delta + delta_bias[:, None])
    state = u.new_zeros(u.shape[0], *A.shape)
    outputs = []
    for point in range(u.shape[2]):
        decay = torch.exp(step[:, :, point, None] * A)
        drive = (step * u)[:, :, point, None] * B[:, None, :, point]
        state = decay * state + drive
        outputs.append((state * C[:, None, :, point]).sum(dim=2) + D * u[:, :, point])
    return torch.stack(outputs, dim=2) if outputs else torch.zeros_like(u)
