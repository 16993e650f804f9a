"""The figures against scikit-image and torchmetrics, against values worked out by hand, and at the
edges where careless definitions give no number.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torchmetrics.functional.image as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from rasd_fusion.rasd_qgis.engine.quality.blocks import (
    HypercomplexQ,
    PairwiseQ,
    distortions,
    hypercomplex_modulus,
    qnr,
    window_side,
)
from rasd_fusion.rasd_qgis.engine.quality.figures import Comparison, mean, spectral_angle
from rasd_fusion.rasd_qgis.engine.quality.structure import MARGIN, Structure


def images(bands=5, height=40, width=33, seed=0):
    """A fused image and its reference, alike but not the same; float64."""
    random = torch.Generator().manual_seed(seed)
    reference = torch.rand(bands, height, width, generator=random, dtype=torch.float64) * 90 + 10
    noise = torch.randn(bands, height, width, generator=random, dtype=torch.float64)
    return reference * 0.95 + 6 * noise, reference


def everywhere(image):
    return torch.ones(image.shape[1:], dtype=torch.bool)


def compared(fused, reference, valid=None):
    comparison = Comparison(len(fused))
    comparison.add(fused, reference, everywhere(fused) if valid is None else valid)
    return comparison


def test_figures_are_those_of_scikit_image_and_torchmetrics():
    fused, reference = images()
    found, peak = compared(fused, reference), float(reference.max())
    psnr = [
        peak_signal_noise_ratio(r.numpy(), f.numpy(), data_range=peak)
        for f, r in zip(fused, reference)
    ]
    np.testing.assert_allclose(found.psnr([peak] * 5), psnr, rtol=1e-12)
    sam = oracle.spectral_angle_mapper(fused[None], reference[None])
    assert found.sam == pytest.approx(math.degrees(sam), rel=1e-10)
    ergas = oracle.error_relative_global_dimensionless_synthesis(fused[None], reference[None], 4)
    assert found.ergas(4) == pytest.approx(float(ergas), rel=1e-10)
    for band in range(5):
        pair = fused[band].ravel().numpy(), reference[band].ravel().numpy()
        assert found.correlation[band] == pytest.approx(np.corrcoef(*pair)[0, 1], rel=1e-10)
        assert found.rmse[band] == pytest.approx(math.sqrt(((pair[0] - pair[1]) ** 2).mean()))


def test_windowed_figures_are_those_of_scikit_image_and_torchmetrics():
    fused, reference = images()
    peaks = reference.amax((1, 2))
    structure = Structure(peaks)
    structure.add(fused, reference, everywhere(fused))
    for band in range(5):
        ssim = structural_similarity(
            fused[band].numpy(),
            reference[band].numpy(),
            data_range=float(peaks[band]),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert structure.ssim[band] == pytest.approx(ssim, rel=1e-10)
    uiqi = oracle.universal_image_quality_index(fused[None], reference[None])
    assert mean(structure.uiqi) == pytest.approx(float(uiqi), rel=1e-9)


def test_windows_in_pieces_are_the_windows_of_the_whole():
    fused, reference = images(height=50, width=47)
    valid = everywhere(fused)
    valid[20, 30] = False
    whole, pieces = (Structure(torch.full((5,), 100.0)) for _ in range(2))
    whole.add(fused, reference, valid)
    sums = compared(fused, reference, valid), Comparison(5)
    for row, col in itertools.product(range(0, 50, 16), range(0, 47, 16)):
        core = slice(row, row + 16), slice(col, col + 16)
        sums[1].add(fused[(..., *core)], reference[(..., *core)], valid[core])
        wide = (
            slice(max(row - MARGIN, 0), row + 16 + MARGIN),
            slice(max(col - MARGIN, 0), col + 16 + MARGIN),
        )
        pieces.add(fused[(..., *wide)], reference[(..., *wide)], valid[wide])
    assert pieces.places == whole.places == 40 * 37 - 121
    np.testing.assert_allclose(pieces.ssim, whole.ssim, rtol=1e-12)
    np.testing.assert_allclose(pieces.uiqi, whole.uiqi, rtol=1e-12)
    np.testing.assert_allclose(sums[1].correlation, sums[0].correlation, rtol=1e-12)
    np.testing.assert_allclose(sums[1].rmse, sums[0].rmse, rtol=1e-12)
    assert sums[1].ergas(3) == pytest.approx(sums[0].ergas(3), rel=1e-12)
    assert sums[1].sam == pytest.approx(sums[0].sam, rel=1e-12)
    assert sums[1].pixels == 50 * 47 - 1


def test_invalid_pixels_count_for_nothing():
    fused, reference = images(height=24, width=24)
    valid = everywhere(fused)
    valid[:6] = False
    spoilt = fused.clone()
    spoilt[:, :6] = 1e9
    for one, other in ((spoilt, fused[:, 6:]), (fused, fused[:, 6:])):
        found, expected = compared(one, reference, valid), compared(other, reference[:, 6:])
        assert found.rmse == expected.rmse
        assert found.sam == expected.sam
        structures = Structure(torch.full((5,), 100.0)), Structure(torch.full((5,), 100.0))
        structures[0].add(one, reference, valid)
        structures[1].add(other, reference[:, 6:], everywhere(other))
        np.testing.assert_allclose(structures[0].ssim, structures[1].ssim, rtol=1e-12)


def test_psnr_and_ergas_by_hand():
    reference = torch.stack([torch.full((4, 4), 10.0), torch.full((4, 4), 20.0)])
    fused = reference + torch.tensor([1.0, 4.0])[:, None, None]
    found = compared(fused, reference)
    assert found.psnr([20.0, 20.0]) == pytest.approx([20 * math.log10(20 / e) for e in (1, 4)])
    assert found.ergas(4) == pytest.approx(25 * math.sqrt((0.1**2 + 0.2**2) / 2))
    assert found.rmse == [1.0, 4.0]
    assert found.correlation == [None, None]


def test_angles_by_hand_and_of_black_pixels():
    reference = torch.tensor([[[1.0, 1, 0, 1, 1]], [[0.0, 0, 0, 1, 0]]], dtype=torch.float64)
    fused = torch.tensor([[[1.0, 0, 1, 7, 0]], [[1.0, 1, 1, 7, 0]]], dtype=torch.float64)
    angle = spectral_angle(fused, reference)[0]
    np.testing.assert_allclose(angle, [45, 90, math.nan, 0, 90], atol=2e-6)
    error, drawn = Comparison(2).add(fused, reference, torch.tensor([[True] * 4 + [False]]))
    assert error.isnan().tolist() == [[False] * 4 + [True]]
    assert drawn.isnan().tolist() == [[False, False, True, False, True]]
    assert error[0, 2] == 1.0
    assert compared(fused, reference).sam == pytest.approx((45 + 90 + 0 + 90) / 4, abs=1e-6)


EDGES = {
    "no error": (torch.rand(3, 33, 33), None),
    "constant bands": (torch.full((3, 33, 33), 7.0), torch.full((3, 33, 33), 7.0)),
    "one constant": (torch.rand(3, 33, 33), torch.full((3, 33, 33), 0.1)),
    "all zero": (torch.zeros(3, 33, 33), torch.zeros(3, 33, 33)),
    "reference zero": (torch.rand(3, 33, 33), torch.zeros(3, 33, 33)),
    "negative": (-torch.rand(3, 33, 33), -torch.rand(3, 33, 33)),
    "one pixel": (torch.rand(3, 1, 1), torch.rand(3, 1, 1)),
    "one band": (torch.rand(1, 33, 33), torch.rand(1, 33, 33)),
}


@pytest.mark.parametrize(("fused", "reference"), EDGES.values(), ids=EDGES.keys())
def test_no_edge_gives_a_number_that_is_none(fused, reference):
    reference = fused if reference is None else reference
    found = compared(fused, reference)
    peaks = reference.amax((1, 2))
    structure, q = Structure(peaks), HypercomplexQ()
    structure.add(fused, reference, everywhere(fused))
    q.add(fused, reference, everywhere(fused))
    pairs = PairwiseQ(2 * len(fused))
    pairs.add(torch.cat((fused, reference)), everywhere(fused), 32)
    by_band = (found.psnr(peaks.tolist()), found.correlation, structure.ssim, structure.uiqi)
    single = (found.sam, found.ergas(4), q.mean, *found.rmse)
    for value in (*itertools.chain(*by_band), *single):
        assert value is None or math.isfinite(value)
    assert pairs.mean.isfinite().all()


def test_a_perfect_image_has_the_best_of_everything():
    image = images()[1]
    found, structure, q = compared(image, image), Structure(torch.full((5,), 9.0)), HypercomplexQ()
    structure.add(image, image, everywhere(image))
    q.add(image, image, everywhere(image))
    assert found.psnr([100.0] * 5) == pytest.approx([20 * math.log10(2**24)] * 5)
    assert found.sam == pytest.approx(0, abs=1e-5)
    assert found.ergas(4) == 0
    assert found.correlation == pytest.approx([1] * 5)
    assert structure.ssim == pytest.approx([1] * 5)
    assert structure.uiqi == pytest.approx([1] * 5)
    assert q.mean == pytest.approx(1)


def test_constant_windows_are_judged_by_their_brightness():
    low, high = torch.full((1, 16, 16), 1.0), torch.full((1, 16, 16), 2.0)
    structure = Structure(torch.tensor([2.0]))
    structure.add(low, high, everywhere(low))
    assert structure.uiqi == pytest.approx([2 * 1 * 2 / (1 + 4)])
    pairs = PairwiseQ(2)
    pairs.add(torch.cat((low, high)), everywhere(low), 32)
    np.testing.assert_allclose(pairs.mean, [[1, 0.8], [0.8, 1]])


def hamilton(p, q):
    """The product of two quaternions, as Hamilton carved it."""
    a, b, c, d = p
    e, f, g, h = q
    return np.array(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ]
    )


def q_of(products, f, r):
    """Garzelli and Nencini's index from the mean of the products z w* and the two samples."""
    mean_f, mean_r = f.mean(1), r.mean(1)
    spread = (f**2).sum(0).mean() - (mean_f**2).sum(), (r**2).sum(0).mean() - (mean_r**2).sum()
    lengths = np.linalg.norm(mean_f), np.linalg.norm(mean_r)
    luminance = 2 * lengths[0] * lengths[1] / (lengths[0] ** 2 + lengths[1] ** 2)
    return luminance * 2 * np.linalg.norm(products) / sum(spread)


@pytest.mark.parametrize("bands", [3, 4])
def test_q4_is_that_of_quaternions(bands):
    fused, reference = images(bands, 32, 32)
    found = HypercomplexQ()
    found.add(fused, reference, everywhere(fused))
    f, r = (
        np.concatenate([image.numpy().reshape(bands, -1), np.zeros((4 - bands, 1024))])
        for image in (fused, reference)
    )
    conjugate = np.array([1, -1, -1, -1])[:, None]
    products = hamilton(f, conjugate * r).mean(1)
    products -= hamilton(f.mean(1), conjugate[:, 0] * r.mean(1))
    assert found.mean == pytest.approx(q_of(products, f, r), rel=1e-9)


def test_q2_is_that_of_complex_numbers_and_q1_is_q():
    fused, reference = images(2, 32, 32)
    f, r = (image.numpy().reshape(2, -1) for image in (fused, reference))
    z, w = f[0] + 1j * f[1], r[0] + 1j * r[1]
    product = (z * w.conj()).mean() - z.mean() * w.mean().conj()
    found = HypercomplexQ()
    found.add(fused, reference, everywhere(fused))
    assert found.mean == pytest.approx(q_of([abs(product)], f, r), rel=1e-9)
    one = HypercomplexQ()
    one.add(fused[:1], reference[:1], everywhere(fused))
    pairs = PairwiseQ(2)
    pairs.add(torch.stack((fused[0], reference[0])), everywhere(fused), 32)
    assert one.mean == pytest.approx(float(pairs.mean[0, 1]), rel=1e-9)


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 99))
def test_multiplying_hypercomplex_numbers_keeps_their_length_with_themselves(bands, seed):
    """The product z z* is real and |z|², in every Cayley–Dickson algebra."""
    z = torch.randn(bands, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert float(hypercomplex_modulus(torch.outer(z, z))) == pytest.approx(float(z @ z))


def test_pairwise_q_is_that_of_one_flat_window():
    image = images(3, 31, 31)[0]
    pairs = PairwiseQ(3)
    pairs.add(image, everywhere(image), 31)
    for one, other in itertools.permutations(range(3), 2):
        # Without its constants SSIM is Q, and one window covers all of 31 × 31 pixels.
        flat = structural_similarity(
            image[one].numpy(),
            image[other].numpy(),
            win_size=31,
            K1=0,
            K2=0,
            data_range=1,
            use_sample_covariance=False,
        )
        assert float(pairs.mean[one, other]) == pytest.approx(flat, rel=1e-6)


def test_distortions_by_hand():
    fine = torch.tensor([[1.0, 0.8, 0.5], [0.8, 1.0, 0.2], [0.5, 0.2, 1.0]])
    coarse = torch.tensor([[1.0, 0.6, 0.4], [0.6, 1.0, 0.5], [0.4, 0.5, 1.0]])
    spectral, spatial = distortions(fine, coarse, 2)
    assert spectral == pytest.approx(0.2)
    assert spatial == pytest.approx((0.1 + 0.3) / 2)
    assert qnr(spectral, spatial) == pytest.approx(0.8 * 0.8)
    assert qnr(1.4, 1.4) == 0.0


@given(bands=st.integers(1, 1000), side=st.integers(8, 64))
def test_windows_are_whole_blocks_and_bounded(bands, side):
    found = window_side(bands, side)
    assert found % side == 0
    assert found == side or bands * found**2 * 8 <= 32 * 2**20
