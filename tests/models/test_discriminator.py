"""The rank-aware discriminator, held to its layers written out one by one."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from rasd_fusion.models.discriminator import Discriminator


def written_out(part: Discriminator, features: torch.Tensor) -> torch.Tensor:
    x = features.permute(0, 3, 1, 2)
    detail = F.leaky_relu(part.detail_in(features).permute(0, 3, 1, 2), 0.1)
    detail = F.conv2d(detail, part.detail.weight, part.detail.bias, padding=1, groups=4)
    context = F.leaky_relu(part.context_in(features).permute(0, 3, 1, 2), 0.1)
    for layer in (part.context_near, part.context_far):
        if layer is part.context_far:
            context = F.leaky_relu(context, 0.1)
        context = F.conv2d(context, layer.weight, layer.bias, padding=2, dilation=2, groups=4)
    head = F.leaky_relu(part.join(torch.cat((detail, context), 1)), 0.1)
    return torch.sigmoid(part.head(head)).reshape(x.shape[0], *x.shape[2:])


def test_is_the_papers_layers():
    part, features = Discriminator(32), torch.randn(2, 13, 10, 32)
    torch.testing.assert_close(part(features), written_out(part, features))


def test_confidence_lies_between_0_and_1():
    confidence = Discriminator(8)(10 * torch.randn(1, 20, 20, 8))
    assert confidence.shape == (1, 20, 20)
    assert 0 < confidence.min() < confidence.max() < 1


def test_each_point_sees_four_points_around():
    part, features = Discriminator(8), torch.randn(1, 21, 21, 8, requires_grad=True)
    part(features)[0, 10, 10].backward()
    seen = features.grad[0].abs().sum(-1).nonzero()
    assert seen.min(0).values.tolist() == [6, 6] and seen.max(0).values.tolist() == [14, 14]
