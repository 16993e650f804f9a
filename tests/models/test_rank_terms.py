"""The compiled rank-1 terms: values and gradients held to those of torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from rasd_fusion.models import rank_terms
from rasd_fusion.models.low_rank import LowRank


def assert_close(found, wanted, tolerance=2e-5):
    """Every tensor within `tolerance` of its largest value and a twentieth of the largest of all.

    A gradient of one number is a sum over the whole image whose terms may cancel: however small it
    comes out, float32 leaves it a rounding of a millionth of what was summed.
    """
    largest = max(float(other.detach().abs().max()) for other in wanted)
    for one, other in zip(found, wanted):
        assert one.shape == other.shape
        scale = float(other.detach().abs().max()) + largest / 20
        assert float((one - other).detach().abs().max()) <= tolerance * scale


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from((4, 8, 32)),
    st.integers(1, 3),
)
def test_values_and_gradients_are_torchs(samples, rows, columns, channels, terms):
    torch.manual_seed(rows * 100 + columns)
    part = LowRank(channels, terms)
    means = [torch.randn(samples, size, requires_grad=True) for size in (rows, columns, channels)]
    leaves = [*means, *part.terms.parameters()]
    on_planes = torch.randn(samples, terms, rows * columns)
    on_colours = torch.randn(samples, terms, channels)
    results = []
    assert rank_terms.usable(means[0])
    for form in (part.terms_of, part._terms_by_torch):
        planes, colours = form(*means)
        loss = (planes * on_planes).sum() + (colours * on_colours).sum()
        results.append([planes, colours, *torch.autograd.grad(loss, leaves)])
    assert_close(*results)


def test_the_branch_learns_the_same_with_and_without_kernels(monkeypatch):
    part, points = LowRank(32, 2), torch.randn(2, 6 * 7, 32, requires_grad=True)
    leaves = [points, *part.parameters()]
    results = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(rank_terms, "compiled", lambda: None)
        out = part(points, (6, 7))
        results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    assert_close(*results)


def test_gradients_of_some_arguments_alone():
    part, means = LowRank(8, 2), [torch.randn(1, size) for size in (3, 4, 8)]
    part.requires_grad_(False)
    means[1].requires_grad_()
    planes, _ = part.terms_of(*means)
    planes.sum().backward()
    assert means[1].grad is not None and means[0].grad is None
    assert all(weight.grad is None for weight in part.parameters())


def test_a_term_of_another_class_is_left_to_torch():
    part = LowRank(8, 1)

    class Otherwise(type(part.terms[0])):
        def forward(self, rows, columns, colours):
            return rows[:, :, None] * columns[:, None], colours

    part.terms[0] = Otherwise(8)
    means = [torch.randn(2, size) for size in (3, 4, 8)]
    assert torch.equal(part.terms_of(*means)[1][:, 0], means[2])
