"""The attention branch, held to the paper's equations written out sample by sample."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from rasd_fusion.models.attention import Attention, LearnedScan, SpectralCorrelation
from rasd_fusion.models.scan import reference_scan

DOUBLE = {"rtol": 1e-7, "atol": 1e-9}


def correlation_written_out(part: SpectralCorrelation, points: torch.Tensor) -> torch.Tensor:
    """softmax(τ K Qᵀ) of one sample's points (n, C), from Q and K themselves."""
    query, key = (
        F.normalize(layer(points).T, dim=1).unflatten(0, (part.heads, -1))
        for layer in (part.query, part.key)
    )
    heads = torch.softmax(part.temperature[:, None, None] * (key @ query.transpose(1, 2)), -1)
    return torch.block_diag(*heads)


def written_out(part: Attention, plain, points, edges) -> torch.Tensor:
    """One sample, (n, C) each."""
    s = correlation_written_out(part.correlation, plain)
    normed = part.norm_in(points)
    u = F.silu(part.mix(part.enter_u(normed)))
    score = torch.sigmoid(part.score(u))
    u = u * (1 + score)
    order = torch.argsort(score[:, 0], descending=True, stable=True)
    u = u[order]
    scan = part.scan
    step, b, c = scan.select(u).split((scan.rank, scan.states, scan.states), dim=-1)
    delta = step @ scan.step.weight.T
    y = reference_scan(
        (u @ s.T).T[None],
        delta.T[None],
        -torch.exp(scan.a_log),
        b.T[None],
        c.T[None],
        scan.skip,
        scan.step.bias,
    )[0].T
    back = torch.empty_like(y)
    back[order] = y
    embedding = part.edges.widen(F.leaky_relu(part.edges.narrow(edges), 0.1))
    y = part.norm_out((back * embedding) @ s.T) * F.silu(part.enter_z(normed))
    return points + part.leave(y)


def example(samples: int, count: int, channels: int = 8) -> list[torch.Tensor]:
    sizes = (channels, channels, 2 * channels)
    return [torch.randn(samples, count, size, dtype=torch.float64) for size in sizes]


@pytest.mark.parametrize("samples, count", [(1, 1), (2, 3), (3, 70)])
def test_is_the_papers_equations(samples, count):
    torch.manual_seed(count)
    part, given = Attention(8, 2).double().eval(), example(samples, count)
    expected = torch.stack([written_out(part, *sample) for sample in zip(*given)])
    torch.testing.assert_close(part(*given), expected, **DOUBLE)


def test_gradients_are_the_written_out_ones():
    torch.manual_seed(0)
    part, given = Attention(8, 2).double().eval(), example(1, 40)
    leaves = [tensor.requires_grad_() for tensor in given] + list(part.parameters())
    weights = torch.randn(1, 40, 8, dtype=torch.float64)
    fast = torch.autograd.grad((part(*given) * weights).sum(), leaves)
    plain = torch.autograd.grad(
        (written_out(part, *(tensor[0] for tensor in given)) * weights[0]).sum(), leaves
    )
    for a, b in zip(fast, plain):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)


def test_correlation_holds_in_single_precision():
    torch.manual_seed(0)
    part = SpectralCorrelation(32, 2)
    # features far from zero mean, as they are in the network: the hard case for a Gram matrix
    points = torch.randn(1, 5000, 32) * 0.1 + torch.rand(32)
    expected = correlation_written_out(part.double(), points[0].double())
    torch.testing.assert_close(part.float()(points)[0], expected.float(), rtol=1e-3, atol=1e-6)


def test_correlation_is_blind_to_the_order_of_the_points():
    part, points = SpectralCorrelation(8, 2).double(), example(1, 30)[0]
    torch.testing.assert_close(part(points), part(points.flip(1)))


def test_correlation_keeps_the_heads_apart_and_its_rows_sum_to_one():
    s = SpectralCorrelation(8, 2)(torch.randn(2, 20, 8))
    assert s.shape == (2, 16, 16)
    torch.testing.assert_close(s.sum(-1), torch.ones(2, 16))
    assert not s[:, :8, 8:].any() and not s[:, 8:, :8].any()


def test_scan_starts_from_s4d_real_with_steps_between_1e_3_and_1e_1():
    scan = LearnedScan(32)
    assert (scan.rank, scan.states) == (2, 16)
    torch.testing.assert_close(-scan.a_log.exp(), -torch.arange(1.0, 17).expand(64, 16))
    step = F.softplus(scan.step.bias)
    assert 0.001 <= step.min() + 1e-6 and step.max() <= 0.1 + 1e-6
    assert step.log().std() > 0.3 * math.log(100) / math.sqrt(12)


def test_the_order_is_learned():
    """The score reaches the result through the points it weights, so it gets a gradient."""
    part = Attention(8, 2).double()
    part(*example(1, 50)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in part.score.parameters())


def test_dropout_works_in_training_alone():
    part, given = Attention(8, 2).double(), example(1, 400)
    points = given[1]
    dropped = (part.train()(*given) == points).double().mean().item()
    assert abs(dropped - 0.3) < 0.05
    part.eval()
    assert torch.equal(part(*given), part(*given))
    assert (part(*given) == points).double().mean() < 0.01
