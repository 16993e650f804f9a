"""The gradient embedding: Sobel edges of normalised features, held to a plain convolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from rasd_fusion.models.gradient import GradientEmbedding, Sobel

KERNEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


def sobel(features: torch.Tensor) -> torch.Tensor:
    return Sobel(features.shape[-1]).to(features.dtype)(features)


def written_out(features: torch.Tensor) -> torch.Tensor:
    x = features.permute(0, 3, 1, 2)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    x = F.pad((x - low) / (high - low), (1, 1, 1, 1), mode="replicate")
    channels = x.shape[1]
    edges = [
        F.conv2d(x, kernel.to(x).expand(channels, 1, 3, 3), groups=channels)
        for kernel in (KERNEL, KERNEL.T)
    ]
    return torch.cat(edges, 1).permute(0, 2, 3, 1)


def test_edges_are_sobels_of_the_normalised_features():
    features = torch.randn(2, 7, 9, 4, dtype=torch.float64) * 5 + 3
    torch.testing.assert_close(sobel(features), written_out(features))


def test_gradients_are_the_written_out_ones():
    features = torch.randn(1, 6, 5, 2, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(1, 6, 5, 4, dtype=torch.float64)
    (fast,) = torch.autograd.grad((sobel(features) * weights).sum(), features)
    (plain,) = torch.autograd.grad((written_out(features) * weights).sum(), features)
    torch.testing.assert_close(fast, plain)


def test_a_ramp_has_one_slope_everywhere_inside():
    ramp = torch.arange(9.0)[None, None, :, None].expand(1, 5, 9, 1)
    edges = sobel(ramp)
    # over 8, Sobel's smoothing adds up to 4 and its difference spans 2: the slope itself
    torch.testing.assert_close(edges[0, :, 1:-1, 0], torch.full((5, 7), 1 / 8))
    assert torch.equal(edges[..., 1], torch.zeros(1, 5, 9))


def test_a_flat_channel_has_no_edges():
    assert torch.equal(sobel(torch.full((1, 4, 4, 3), 2.5)), torch.zeros(1, 4, 4, 6))


def test_embedding_narrows_and_widens():
    part, edges = GradientEmbedding(4), torch.randn(2, 5, 8)
    expected = part.widen(F.leaky_relu(part.narrow(edges), 0.1))
    assert part.narrow.weight.shape == (4, 8)
    torch.testing.assert_close(part(edges), expected)
