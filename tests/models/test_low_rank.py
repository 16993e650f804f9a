"""The low-rank branch: its economical form held to the paper's, written out over the grid."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.models.low_rank import LowRank


def written_out(part: LowRank, points: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Every term and residual spread over the whole grid, joined by a 1x1 convolution."""
    residual = points.unflatten(1, grid)
    terms = []
    for term in part.terms:
        v_h = term.rows(residual.mean((2, 3))[:, None])[:, 0]
        v_w = term.columns(residual.mean((1, 3))[:, None])[:, 0]
        v_c = term.colour(term.colours(residual.mean((1, 2))[:, None])[:, 0])
        plane = term.plane(torch.einsum("nh,nw->nhw", v_h, v_w)[:, None])[:, 0]
        terms.append(torch.einsum("nhw,nc->nhwc", plane, v_c))
        residual = residual - terms[-1]
    return part.join(torch.cat(terms, -1)).flatten(1, 2) * points


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 2), st.integers(1, 3))
def test_economical_form_is_the_written_out_one(rows, columns, samples, terms):
    torch.manual_seed(rows * 10 + columns)
    part = LowRank(8, terms).double()
    points = torch.randn(samples, rows * columns, 8, dtype=torch.float64, requires_grad=True)
    leaves = [points, *part.parameters()]
    fast, plain = part(points, (rows, columns)), written_out(part, points, (rows, columns))
    torch.testing.assert_close(fast, plain, rtol=1e-9, atol=1e-12)
    weights = torch.randn_like(fast)
    for a, b in zip(
        torch.autograd.grad((fast * weights).sum(), leaves),
        torch.autograd.grad((plain * weights).sum(), leaves),
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("grid", [(6, 6), (4, 9), (1, 36)])
def test_no_grid_passes_unchanged(grid):
    points = torch.randn(1, 36, 8)
    assert not torch.allclose(LowRank(8, 2)(points, grid), points, atol=0.05)


def test_a_second_term_changes_the_result():
    torch.manual_seed(0)
    points, two = torch.randn(1, 20, 8), LowRank(8, 2)
    full = two(points, (4, 5))
    with torch.no_grad():
        two.join.weight[:, 8:] = 0
    assert (two(points, (4, 5)) - full).abs().max() > 1e-3
