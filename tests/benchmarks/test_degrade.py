"""The simulated sensor: where its pixels stand, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.benchmarks.degrade import blur_and_decimate, gaussian_kernel


@given(size=st.integers(1, 40), sigma=st.floats(0.3, 10))
def test_kernel_is_symmetric_and_sums_to_one(size: int, sigma: float) -> None:
    kernel = gaussian_kernel(size, sigma)
    np.testing.assert_allclose(kernel, kernel[::-1])
    assert kernel.sum() == pytest.approx(1.0)


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
