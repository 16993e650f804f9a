"""Layouts: channels first out of a product, and convolutions on a channels-last grid."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rasd_fusion.models.layout import as_points, channel_major, on_grid


@pytest.mark.parametrize("samples", [1, 3])
def test_channel_major_is_the_linear_map_transposed(samples):
    layer, points = nn.Linear(6, 5), torch.randn(samples, 7, 6)
    out = channel_major(layer.weight, points, layer.bias)
    torch.testing.assert_close(out, layer(points).transpose(1, 2))
    assert out.is_contiguous()


def test_channel_major_takes_a_map_a_sample():
    weights, points = torch.randn(2, 4, 3), torch.randn(2, 5, 3)
    expected = torch.stack([w @ p.T for w, p in zip(weights, points)])
    torch.testing.assert_close(channel_major(weights, points), expected)


def test_grid_layers_keep_points_contiguous():
    grid, layer = torch.randn(2, 9, 11, 8), nn.Conv2d(8, 8, 3, padding=1, groups=8)
    out = on_grid(layer, grid)
    torch.testing.assert_close(out.permute(0, 3, 1, 2), layer(grid.permute(0, 3, 1, 2)))
    assert out.is_contiguous()
    assert as_points(out).data_ptr() == out.data_ptr()
