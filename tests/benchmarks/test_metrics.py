"""The figures, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rasd_fusion.benchmarks import metrics


@pytest.fixture
def reference() -> np.ndarray:
    return np.random.default_rng(0).uniform(1.0, 100.0, size=(3, 24, 24))


def test_psnr_is_the_mean_of_the_bands_with_one_peak(reference: np.ndarray) -> None:
    reference[0, 0, 0] = 200.0
    image = reference + np.array([1.0, 2.0, 10.0])[:, None, None]
    expected = np.mean([20 * np.log10(200.0 / error) for error in (1, 2, 10)])
    assert metrics.psnr(image, reference) == pytest.approx(expected)


def test_angle_does_not_see_brightness(reference: np.ndarray) -> None:
    assert metrics.spectral_angle(3.0 * reference, reference) == pytest.approx(0.0, abs=1e-5)


def test_angle_is_in_degrees_and_leaves_black_pixels_out() -> None:
    reference = np.zeros((2, 1, 3))
    image = np.zeros((2, 1, 3))
    reference[:, 0, 0], image[:, 0, 0] = (1, 0), (1, 1)
    reference[:, 0, 1], image[:, 0, 1] = (1, 0), (0, 1)
    assert metrics.spectral_angle(image, reference) == pytest.approx((45 + 90) / 2)


def test_ergas_by_hand() -> None:
    reference = np.stack([np.full((4, 4), 10.0), np.full((4, 4), 20.0)])
    image = reference + np.array([1.0, 4.0])[:, None, None]
    expected = 100 / 4 * np.sqrt(((1 / 10) ** 2 + (4 / 20) ** 2) / 2)
    assert metrics.ergas(image, reference, 4) == pytest.approx(expected)


def test_ssim_is_one_for_the_same_and_less_for_noise(reference: np.ndarray) -> None:
    assert metrics.ssim(reference, reference) == pytest.approx(1.0)
    noisy = reference + np.random.default_rng(1).normal(0, 20, reference.shape)
    assert 0.2 < metrics.ssim(noisy, reference) < 0.95


def test_relative_rmse_by_hand() -> None:
    reference = np.array([[[0.0, 50.0]]])
    assert metrics.relative_rmse(reference + 1.0, reference) == pytest.approx(0.02)


def test_pooled_figures_are_those_of_all_pixels_together(reference: np.ndarray) -> None:
    image = reference + np.random.default_rng(2).normal(0, 5, reference.shape)
    halves = [(part[:, :, :12], part[:, :, 12:]) for part in (image, reference)]
    pooled = metrics.pooled_figures(*halves, 4)
    whole = metrics.all_figures(image, reference, 4)
    for name in ("PSNR", "SAM", "ERGAS"):
        assert pooled[name] == pytest.approx(whole[name])
    left, right = (metrics.all_figures(*half, 4)["SSIM"] for half in zip(*halves))
    assert min(left, right) - 0.01 < pooled["SSIM"] < max(left, right) + 0.01


def test_all_figures_are_the_single_ones(reference: np.ndarray) -> None:
    image = reference + np.random.default_rng(2).normal(0, 5, reference.shape)
    assert metrics.all_figures(image, reference, 4) == pytest.approx(
        {
            "PSNR": metrics.psnr(image, reference),
            "SAM": metrics.spectral_angle(image, reference),
            "ERGAS": metrics.ergas(image, reference, 4),
            "SSIM": metrics.ssim(image, reference),
        }
    )
