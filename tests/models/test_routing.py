"""Routing: the order of the points, the way back, and the size of the low-rank cluster."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.models.routing import descending, low_rank_grid, routed_grid


@given(
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(0, 2**31),
    st.booleans(),
    st.sampled_from((torch.float32, torch.float64)),
)
def test_order_is_a_permutation_and_is_undone_exactly(samples, count, seed, ties, dtype):
    generator = torch.Generator().manual_seed(seed)
    keys = torch.rand(samples, count, generator=generator, dtype=dtype)
    keys = (keys * 4).round() if ties else keys
    points = torch.randn(samples, count, 3, generator=generator)
    order = descending(keys)
    there = order.sort(points)
    assert torch.equal(order.restore(there), points)
    assert torch.equal(order.sort(order.restore(points)), points)
    for sample in range(samples):
        by_hand = sorted(range(count), key=lambda i: -keys[sample, i].item())
        assert torch.equal(there[sample], points[sample, by_hand])


def test_long_lists_of_close_confidences_are_in_order_and_stable():
    keys = 0.5 + 1e-7 * torch.randint(0, 50, (2, 70_000))
    order = descending(keys).there.view(2, -1) - torch.tensor([[0], [70_000]])
    expected = torch.sort(keys, dim=1, descending=True, stable=True).indices
    assert torch.equal(order, expected)


def test_gradient_follows_the_points():
    order = descending(torch.rand(2, 9, dtype=torch.float64))
    points = torch.randn(2, 9, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(order.sort, points)
    assert torch.autograd.gradcheck(order.restore, points)


@pytest.mark.parametrize(
    "sides, ratio, grid",
    [
        ((64, 64), 0.5, (45, 45)),
        ((8, 8), 0.5, (5, 5)),
        ((48, 80), 0.3, (26, 43)),
        ((64, 64), 0.0, (0, 0)),
        ((64, 48), 1.0, (64, 48)),
        ((2, 3), 0.01, (1, 1)),
        ((2, 3), 0.999, (1, 2)),
    ],
)
def test_low_rank_cluster_has_the_papers_size(sides, ratio, grid):
    assert low_rank_grid(*sides, ratio) == grid


@given(st.integers(2, 600), st.integers(2, 600), st.floats(1e-9, 1, exclude_max=True))
def test_between_the_ends_both_clusters_have_points(height, width, ratio):
    rows, columns = low_rank_grid(height, width, ratio)
    assert 0 < rows * columns < height * width


@given(st.integers(2, 40), st.integers(2, 40), st.floats(0, 1), st.integers(0, 2**31))
def test_by_content_the_ratio_is_the_least_share(height, width, ratio, seed):
    generator = torch.Generator().manual_seed(seed)
    lift = torch.rand((), generator=generator) - 0.5
    confidence = (torch.rand(1, height, width, generator=generator) + lift).clamp(0, 1)
    least, called = low_rank_grid(height, width, ratio), int((confidence > 0.5).sum())
    assert routed_grid(confidence, ratio, False) == least
    rows, columns = routed_grid(confidence, ratio, True)
    assert rows >= least[0] and columns >= least[1]
    # The grid is at most a row and a column short of the points that are called low-rank.
    enough = max(called, ratio * height * width)
    assert rows * columns > enough - height - width - 1
    if rows > 1 and columns > 1:  # else clamped: no branch goes without points between the ends
        assert rows * columns <= enough + 1e-3
