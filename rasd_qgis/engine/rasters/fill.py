"""Filling: a plausible value where there is none, so that no filter meets a hole.

What is filled in is masked again at the end; it only keeps nodata out of its neighbours' results.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def filled(image: Tensor, valid: Tensor) -> Tensor:
    """(C, H, W) with pixels outside `valid` (H, W) replaced by a mean of the valid ones nearby.

    The mean is taken over blocks that double until they hold a valid pixel; without any, zero.
    """
    if bool(valid.all()):
        return image
    image = torch.where(valid, image, 0.0)
    if min(image.shape[1:]) == 1 and max(image.shape[1:]) == 1:
        return image
    weight = valid[None].float()
    share = F.avg_pool2d(weight, 2, ceil_mode=True, count_include_pad=False)
    coarse = F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)
    coarse = filled(coarse / share.clamp_min(1e-6), share[0] > 0)
    spread = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)
    return torch.where(valid, image, spread[:, : image.shape[1], : image.shape[2]])
