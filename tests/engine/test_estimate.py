"""The closed form: it finds a linear response, injects detail, and returns the observed image."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.estimate import back_projected, detail, hypersharpen, regression
from rasd_fusion.rasd_qgis.engine.grid import Axis
from rasd_fusion.rasd_qgis.engine.observe import DEFAULT_SIGMA, Observation

RIDGE = 1e-6
AXIS = Axis(4.0, 0.0)
LOOK = Observation.between((48, 48), (12, 12), AXIS, AXIS, DEFAULT_SIGMA)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_regression_finds_the_gains_whatever_the_units():
    guide = 1e4 + 300 * noise(3, 500)
    gains = torch.tensor([[0.5, -2.0], [1e-3, 0.0], [4.0, 1.0]])
    found = regression(guide, gains.T @ guide - 77.0, RIDGE)
    torch.testing.assert_close(found, gains, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("guide", [torch.ones(2, 50), noise(1, 50).expand(2, 50), noise(2, 1)])
def test_a_guide_without_contrast_or_with_twins_gives_finite_gains(guide):
    found = regression(guide, noise(4, guide.shape[1], seed=1), RIDGE)
    assert found.isfinite().all()
    assert found.abs().max() < 10


def test_detail_is_what_the_coarse_sensor_does_not_see():
    smooth = torch.sin(torch.arange(48) / 20.0).expand(1, 48, 48)
    stripes = (torch.arange(48) % 2).float().expand(1, 48, 48)
    inside = (slice(None), slice(8, -8), slice(8, -8))
    assert detail(smooth, LOOK)[inside].abs().max() < 0.02
    torch.testing.assert_close(
        detail(stripes, LOOK)[inside], (stripes - stripes.mean())[inside], atol=0.02, rtol=0
    )


def test_bands_that_the_guide_explains_come_out_sharp():
    guide = noise(2, 48, 48)
    gains = torch.tensor([[1.0, 0.3], [-0.5, 2.0]])
    bands = torch.einsum("bB,bhw->Bhw", gains, guide)
    estimate = hypersharpen(LOOK.down(bands), detail(guide, LOOK), gains, LOOK)
    torch.testing.assert_close(estimate, bands, atol=1e-4, rtol=0)


def test_back_projection_brings_an_estimate_nearer_to_what_was_observed():
    coarse, estimate = noise(3, 12, 12), torch.zeros(3, 48, 48)
    before = coarse.square().mean()
    for _ in range(2):
        estimate = back_projected(estimate, coarse, LOOK)
        after = (LOOK.down(estimate) - coarse).square().mean()
        assert after < 0.5 * before
        before = after


def test_an_estimate_that_fits_stays():
    estimate = noise(3, 48, 48)
    torch.testing.assert_close(back_projected(estimate, LOOK.down(estimate), LOOK), estimate)
