"""The closed form: it finds a linear response, injects detail, and returns the observed image."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.rasters.grid import Axis
from rasd_fusion.rasd_qgis.engine.scene.estimate import detail, hypersharpen, regression
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA, Observation

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


def test_the_estimate_observed_again_is_what_was_observed():
    """Back-projection: interpolation alone loses three times as much."""
    coarse = torch.cumsum(noise(3, 12, 12), 2)
    estimate = hypersharpen(coarse, torch.zeros(1, 48, 48), torch.zeros(1, 3), LOOK)
    miss, without = (
        (LOOK.down(image) - coarse).square().mean().sqrt() for image in (estimate, LOOK.up(coarse))
    )
    assert miss < without / 3


def test_a_smooth_scene_needs_no_detail():
    x = torch.arange(48) / 48
    bands = torch.stack([x + x[:, None], (3 * x) * x[:, None]])
    estimate = hypersharpen(LOOK.down(bands), torch.zeros(1, 48, 48), torch.zeros(1, 2), LOOK)
    inside = (slice(None), slice(6, -6), slice(6, -6))
    torch.testing.assert_close(estimate[inside], bands[inside], atol=0.02, rtol=0)
