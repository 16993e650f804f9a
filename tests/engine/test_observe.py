"""Observation: both maps keep constants and places at every ratio and phase."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.benchmarks.degrade import blur_and_decimate
from rasd_fusion.rasd_qgis.engine.rasters.grid import Axis
from rasd_fusion.rasd_qgis.engine.sensors.observe import (
    DEFAULT_SIGMA,
    Observation,
    cubic,
    point_spread,
)

axes = st.builds(Axis, st.floats(1.2, 12.0), st.floats(-20.0, 20.0))
sizes = st.integers(1, 40)


@settings(deadline=None)
@given(axes, sizes, sizes, st.floats(0.0, 2.0))
def test_a_constant_stays_what_it_is(axis, coarse, fine, sigma):
    down, up = point_spread(axis, coarse, fine, sigma), cubic(axis, coarse, fine)
    assert down.shape == (coarse, fine) and up.shape == (fine, coarse)
    torch.testing.assert_close(down.sum(1), torch.ones(coarse), atol=1e-5, rtol=0)
    torch.testing.assert_close(up.sum(1), torch.ones(fine), atol=1e-5, rtol=0)
    assert (down >= 0).all()


@settings(deadline=None)
@given(st.floats(1.5, 12.0), st.floats(-6.0, 6.0))
def test_a_coarse_pixel_sees_the_ground_around_its_centre(ratio, offset):
    axis, fine = Axis(ratio, offset), 100
    seen = point_spread(axis, 6, fine, DEFAULT_SIGMA) @ (torch.arange(fine) + 0.5)
    centres = offset + ratio * (torch.arange(6) + 0.5)
    inside = centres > 2.5 * ratio + 1
    torch.testing.assert_close(seen[inside], centres[inside], atol=0.1, rtol=0)


@settings(deadline=None)
@given(axes)
def test_interpolation_puts_a_curve_where_it_was(axis):
    """Keys' cubic convolution is exact for parabolas, away from the ends."""
    fine, coarse = 60, 40
    place = torch.arange(coarse, dtype=torch.float64) + 0.5
    centres = axis.offset + axis.ratio * place
    up = cubic(axis, coarse, fine).double() @ (0.01 * centres**2 - centres)
    at = torch.arange(fine, dtype=torch.float64) + 0.5
    inside = (at > centres[2]) & (at < centres[-3])
    torch.testing.assert_close(up[inside], (0.01 * at**2 - at)[inside], atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize("ratio", [2, 3, 4, 5])
def test_at_a_whole_ratio_it_is_the_sensor_of_the_demo(ratio):
    """Which blurs and decimates in code of its own."""
    side = 8 * ratio
    fine = np.random.default_rng(0).uniform(0, 1, (2, side, side))
    axis = Axis(float(ratio), 0.0)
    look = Observation.between((side, side), (8, 8), axis, axis, DEFAULT_SIGMA)
    seen = look.down(torch.from_numpy(fine).float())
    expected = blur_and_decimate(fine, ratio)
    np.testing.assert_allclose(seen[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-5)


@given(axes, st.integers(2, 20), st.integers(2, 60))
def test_a_mirrored_scene_is_seen_mirrored(axis, coarse, fine):
    mirrored = Axis(axis.ratio, fine - axis.offset - axis.ratio * coarse)
    for maps in (
        [point_spread(a, coarse, fine, DEFAULT_SIGMA) for a in (axis, mirrored)],
        [cubic(a, coarse, fine) for a in (axis, mirrored)],
    ):
        torch.testing.assert_close(maps[0], maps[1].flip(0, 1), atol=1e-4, rtol=0)


def test_rows_and_columns_have_ratios_of_their_own():
    look = Observation.between((30, 20), (10, 4), Axis(3.0, 0.0), Axis(5.0, 0.0), DEFAULT_SIGMA)
    image = torch.rand(2, 30, 20)
    assert look.down(image).shape == (2, 10, 4)
    assert look.up(look.down(image)).shape == image.shape
    ramp = (torch.arange(20) + 0.5).expand(1, 30, 20)
    torch.testing.assert_close(look.down(ramp)[0, :, 1:3], torch.tensor([7.5, 12.5]).expand(10, 2))
