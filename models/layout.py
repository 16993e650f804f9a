"""Layouts: how the network holds its features, and the few moves between the ways.

Features are channels-last, (samples, rows, columns, channels), so that a feature point is one
contiguous run of numbers: a 1x1 convolution is then a plain `nn.Linear`, a set of points is a view,
and moving points about copies whole rows. Where a layer of few channels wants them first, it gets
them out of a matrix product, which writes either layout at no cost.
"""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor


def as_points(grid: Tensor) -> Tensor:
    """(N, H, W, C) seen as a list of points (N, H·W, C)."""
    return grid.flatten(1, 2)


def on_grid(layer: Callable[[Tensor], Tensor], grid: Tensor) -> Tensor:
    """A channels-first layer, such as a Conv2d, applied to (N, H, W, C); returns that layout."""
    return layer(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def channel_major(weight: Tensor, points: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear map of points (N, n, C) written channels first: (N, C', n).

    weight: (C', C), or (N, C', C) for one map a sample; bias: (C',).
    """
    # matmul would fold the samples and hand back a transposed view; bmm writes what is wanted
    weight = weight.expand(points.shape[0], -1, -1)
    if bias is None:
        return torch.bmm(weight, points.transpose(1, 2))
    return torch.baddbmm(bias[:, None], weight, points.transpose(1, 2))
