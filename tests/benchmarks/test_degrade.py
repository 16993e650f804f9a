"""The simulated sensor: where its pixels stand, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.benchmarks.degrade import blur_and_decimate


@given(ratio=st.integers(2, 8), blocks=st.integers(3, 6), seed=st.integers(0, 99))
def test_a_kernel_told_is_the_one_used(ratio: int, blocks: int, seed: int) -> None:
    """The usual Gaussian, sampled here, gives what the engine's own PSF does."""
    size = 2 * ratio + ratio % 2
    place = (np.arange(size) - (size - 1) / 2) / (ratio / 2.354820045)
    kernel = np.exp(-0.5 * place**2)
    image = np.random.default_rng(seed).uniform(0, 100, (2, blocks * ratio, blocks * ratio))
    told = blur_and_decimate(image, ratio, kernel / kernel.sum())
    np.testing.assert_allclose(blur_and_decimate(image, ratio), told, rtol=1e-9)


@given(ratio=st.integers(2, 8), slope=st.floats(-5, 5))
def test_coarse_pixels_stand_in_the_middle_of_their_blocks(ratio: int, slope: float) -> None:
    side = 8 * ratio
    centres = np.arange(side) + 0.5
    ramp = slope * centres[None, :, None] - 2 * slope * centres[None, None, :]
    coarse = blur_and_decimate(ramp, ratio)
    middles = ratio * (np.arange(8) + 0.5)
    expected = slope * middles[:, None] - 2 * slope * middles[None, :]
    np.testing.assert_allclose(coarse[0, 1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-9)


def test_point_spread_is_the_gaussian_of_the_ratio() -> None:
    ratio, side = 4, 32
    found = []
    for pixel in range(side):
        point = np.zeros((1, side, side))
        point[0, pixel, :] = 1.0
        found.append(blur_and_decimate(point, ratio)[0, 4, 4])
    kernel = np.array(found)
    assert kernel.sum() == pytest.approx(1.0)
    assert np.flatnonzero(kernel).tolist() == list(range(14, 22))
    sigma = ratio / 2.3548
    assert kernel[17] / kernel[15] == pytest.approx(
        np.exp((2.5**2 - 0.5**2) / (2 * sigma**2)), rel=1e-3
    )


def test_sides_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="145 x 144"):
        blur_and_decimate(np.zeros((1, 145, 144)), 4)
