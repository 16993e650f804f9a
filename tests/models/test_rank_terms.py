"""The compiled rank-1 terms: values and gradients held to those of torch."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from rasd_fusion.models import rank_terms
from rasd_fusion.models.low_rank import LowRank

EPSILON = torch.finfo(torch.float32).eps
ROUNDINGS = 4


def exactly(part: LowRank, means, cotangents):
    """Planes, colours and gradients in float64, by torch: what both forms round."""
    part, means = copy.deepcopy(part).double(), [x.detach().double() for x in means]
    leaves = [*(x.requires_grad_() for x in means), *part.terms.parameters()]
    return with_gradients(part._terms_by_torch(*means), cotangents, leaves)


def majorant(part: LowRank, means, cotangents):
    """The same numbers where nothing cancels: every weight and mean positive, residuals sums.

    Whatever the order of the sums, float32 errs by a few roundings of these.
    """
    part, left = copy.deepcopy(part).double(), [x.detach().double().abs() for x in means]
    for weight in part.parameters():
        weight.data.abs_()
    leaves = [*(x.requires_grad_() for x in left), *part.terms.parameters()]
    planes, shades = [], []
    for term in part.terms:
        plane, colour = term(*left)
        planes.append(plane.flatten(1))
        shades.append(colour)
        bright = colour.mean(1, keepdim=True)
        over = plane.mean(2) * bright, plane.mean(1) * bright, plane.mean((1, 2))[:, None] * colour
        left = [mean + taken for mean, taken in zip(left, over)]
    values = torch.stack(planes, 1), torch.stack(shades, 1)
    return with_gradients(values, [x.abs() for x in cotangents], leaves)


def with_gradients(values, cotangents, leaves):
    """The values, and the gradients of their product with the cotangents."""
    loss = sum((x * y.to(x.dtype)).sum() for x, y in zip(values, cotangents))
    return [*values, *torch.autograd.grad(loss, leaves)]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(1, 3),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from((4, 8, 32)),
    st.integers(1, 3),
)
def test_values_and_gradients_are_those_of_float64(samples, rows, columns, channels, terms):
    torch.manual_seed(rows * 100 + columns)
    part = LowRank(channels, terms)
    means = [torch.randn(samples, size, requires_grad=True) for size in (rows, columns, channels)]
    leaves = [*means, *part.terms.parameters()]
    cotangents = [torch.randn(samples, terms, size) for size in (rows * columns, channels)]
    assert rank_terms.usable(means[0])
    found = with_gradients(part.terms_of(*means), cotangents, leaves)
    wanted, most = (form(part, means, cotangents) for form in (exactly, majorant))
    for one, other, scale in zip(found, wanted, most):
        assert one.shape == other.shape
        assert ((one - other).abs() <= ROUNDINGS * EPSILON * scale + 1e-12).all()


def test_the_branch_learns_by_these(monkeypatch):
    """Its numbers are those of float64, which knows no kernels, as near as torch's float32 are."""
    torch.manual_seed(0)
    part, points = LowRank(32, 2), torch.randn(2, 6 * 7, 32, requires_grad=True)
    results = []
    for form in (part, copy.deepcopy(part).double()):
        given = points.detach().to(form.join.weight.dtype).requires_grad_()
        out = form(given, (6, 7))
        results.append([out, *torch.autograd.grad(out.square().sum(), [given, *form.parameters()])])
    together = [torch.cat([x.flatten().double() for x in result]) for result in results]
    assert (together[0] - together[1]).norm() <= 1e-6 * together[1].norm()


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
