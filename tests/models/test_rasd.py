"""One RASD module: the routed forms held to a loop over clusters, and what reaches whom."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.models import RASDConfig
from rasd_fusion.models.rasd import RASD

CONFIG = RASDConfig(6, 2, channels=8, stages=1)


def module() -> RASD:
    torch.manual_seed(1)
    return RASD(CONFIG).double().eval()


def routed_by_hand(part: RASD, features, confidence, grid) -> torch.Tensor:
    """Sample by sample, by index lists, with the paper's letters."""
    out = torch.empty_like(features)
    for n in range(features.shape[0]):
        m, f = confidence[n].flatten(), features[n].flatten(0, 1)
        edges = part.sobel(features[n : n + 1])[0].flatten(0, 1)
        order = sorted(range(m.numel()), key=lambda i: -m[i].item())
        low, rest = order[: grid[0] * grid[1]], order[grid[0] * grid[1] :]
        flat = out[n].view(-1, features.shape[-1])
        if low:
            flat[low] = part.low_rank((m[low, None] * f[low])[None], grid)[0]
        if rest:
            x_n = (1 - m[rest, None]) * f[rest]
            flat[rest] = part.attention(f[rest][None], x_n[None], edges[rest][None])[0]
    return out


@pytest.mark.parametrize(
    "ratio, grid", [(0.0, (0, 0)), (0.2, (4, 5)), (0.5, (7, 8)), (0.9, (9, 11)), (1.0, (10, 12))]
)
def test_routing_is_the_one_by_hand(ratio, grid):
    part, features = module(), torch.randn(2, 10, 12, 8, dtype=torch.float64)
    with torch.no_grad():
        out, confidence = part(features, ratio)
        restored = routed_by_hand(part, features, confidence, grid)
        expected = features + part.refine(restored, features)
    torch.testing.assert_close(confidence, part.discriminator(features))
    torch.testing.assert_close(out, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("quantile", [0.02, 0.5, 0.98])
def test_by_content_points_called_low_rank_are_routed_so(quantile):
    part, features = module(), torch.randn(1, 16, 12, 8, dtype=torch.float64)
    with torch.no_grad():
        part.discriminator.head.bias -= part.discriminator(features).logit().quantile(quantile)
        out, confidence = part(features, 0.1, True)
        called = (confidence > 0.5).float().mean().item()
        expected = part(features, max(0.1, called))[0]
    assert called == pytest.approx(1 - quantile, abs=0.01)
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_gradient_reaches_the_discriminator(ratio, auto):
    part, features = module(), torch.randn(1, 8, 8, 8, dtype=torch.float64)
    part(features, ratio, auto)[0].square().sum().backward()
    for name, weight in part.discriminator.named_parameters():
        assert weight.grad.abs().sum() > 0, name


def test_one_branch_alone_at_the_ends():
    part, features = module(), torch.randn(1, 8, 8, 8, dtype=torch.float64)
    for ratio, idle in ((0.0, part.low_rank), (1.0, part.attention)):
        part.zero_grad()
        part(features, ratio)[0].sum().backward()
        assert all(weight.grad is None or not weight.grad.any() for weight in idle.parameters())
