"""Assessments of whole rasters: figures known beforehand, maps by pixel, refusals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import rasterio
from affine import Affine
from skimage.metrics import structural_similarity

from rasd_fusion.rasd_qgis.contract.errors import InputError, OutputError
from rasd_fusion.rasd_qgis.engine.quality import blocks
from rasd_fusion.rasd_qgis.engine.quality.assess import FIGURES
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .assessments import BANDS, HEIGHT, WAVES, WIDTH, assessed, made_pair, scene, waves
from .conftest import NORTH_UP


@pytest.fixture
def run(tmp_path):
    return partial(assessed, tmp_path)


@pytest.fixture
def pair(make_raster, tmp_path):
    return made_pair(tmp_path, make_raster(scene(), describe=waves))


def test_figures_of_a_known_error(run, make_raster):
    truth = scene()
    error = np.arange(1, BANDS + 1, dtype="float32")[:, None, None]
    values, _ = run(make_raster(truth + error), reference=make_raster(truth), ratio=4.0)
    peak = float(truth.max())
    errors = np.arange(1, BANDS + 1)
    assert values["PEAK"] == peak
    assert values["PSNR"] == pytest.approx(np.mean(20 * np.log10(peak / errors)), rel=1e-5)
    assert values["BY_BAND"]["RMSE"] == pytest.approx(errors.tolist(), rel=1e-4)
    assert values["RMSE"] == pytest.approx(np.sqrt(np.mean(errors**2.0)), rel=1e-4)
    means = truth.mean((1, 2), dtype=float)
    assert values["ERGAS"] == pytest.approx(25 * np.sqrt(np.mean((errors / means) ** 2)), rel=1e-4)
    assert values["CORRELATION"] == pytest.approx(1, abs=1e-6)
    assert values["PIXELS"] == HEIGHT * WIDTH
    assert values["QNR"] is values["CONSISTENCY_HS"] is None


def test_maps_are_the_error_and_the_angle_of_each_pixel(run, make_raster, tmp_path):
    truth = scene()
    fused = truth + np.random.default_rng(1).normal(0, 50, truth.shape).astype("float32")
    truth[:, 3, 4] = -1
    paths = {name: str(tmp_path / f"{name}.tif") for name in ("error_map", "angle_map")}
    reference = make_raster(truth, nodata=-1)
    values, _ = run(make_raster(fused), reference=reference, **paths)
    error, angle = (rasterio.open(path).read(1) for path in paths.values())
    seen = truth[0] != -1
    assert np.isnan(error[~seen]).all() and np.isnan(angle[~seen]).all()
    expected = np.sqrt(((fused - truth) ** 2).mean(0))
    np.testing.assert_allclose(error[seen], expected[seen], rtol=1e-4)
    lengths = np.linalg.norm(fused, axis=0) * np.linalg.norm(truth, axis=0)
    expected = np.degrees(np.arccos((fused.astype(float) * truth).sum(0) / lengths))
    np.testing.assert_allclose(angle[seen], expected[seen], rtol=1e-3)
    assert values["SAM"] == pytest.approx(float(angle[seen].mean()), rel=1e-5)
    assert values["PIXELS"] == HEIGHT * WIDTH - 1
    for path in paths.values():
        with rasterio.open(path) as made:
            assert made.transform == NORTH_UP
            assert np.isnan(made.nodata)
            assert made.descriptions[0]
            assert "provenance" in made.tags()


@pytest.mark.parametrize(
    ("peak", "expected"),
    [
        ({}, lambda truth: np.full(BANDS, truth.max())),
        ({"peak": "band"}, lambda truth: truth.max((1, 2))),
        ({"peak": "value", "peak_value": 5000.0}, lambda truth: np.full(BANDS, 5000.0)),
    ],
)
def test_the_peak_is_the_one_asked_for(run, make_raster, peak, expected):
    truth = scene()
    fused = truth + np.random.default_rng(1).normal(0, 50, truth.shape).astype("float32")
    values, _ = run(make_raster(fused), reference=make_raster(truth), **peak)
    peaks = expected(truth)
    mse = ((fused - truth) ** 2).mean((1, 2))
    np.testing.assert_allclose(values["BY_BAND"]["PSNR"], 10 * np.log10(peaks**2 / mse), rtol=1e-5)
    for band in (0, BANDS - 1):
        ssim = structural_similarity(
            truth[band].astype(float),
            fused[band].astype(float),
            data_range=peaks[band],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert values["BY_BAND"]["SSIM"][band] == pytest.approx(ssim, rel=1e-7)
    assert values["PEAK"] == (None if peak.get("peak") == "band" else peaks[0])


def test_windows_leave_no_seam(run, pair, make_raster, monkeypatch):
    truth = scene()
    fused = truth + np.random.default_rng(1).normal(0, 50, truth.shape).astype("float32")
    holed = fused.copy()
    holed[:, 20:23, 30] = np.nan
    calls = [
        (make_raster(fused), {**pair, "psf_sigma": DEFAULT_SIGMA}),
        (make_raster(holed), {"reference": pair["reference"]}),
    ]
    whole = [run(path, **others)[0] for path, others in calls]
    monkeypatch.setattr(blocks, "WINDOW_BYTES", 1)
    parts = [run(path, **others)[0] for path, others in calls]
    assert whole[1]["PIXELS"] == HEIGHT * WIDTH - 3
    for one, other in zip(whole, parts):
        for name in FIGURES:
            same = other[name] and pytest.approx(other[name], rel=1e-6)
            assert one[name] == same, name
        for name, values in one["BY_BAND"].items():
            np.testing.assert_allclose(values, other["BY_BAND"][name], rtol=1e-6)


def test_the_truth_itself_is_consistent_and_has_a_qnr_near_one(run, pair):
    values, _ = run(**pair, fused=pair["reference"], psf_sigma=DEFAULT_SIGMA)
    assert values["CONSISTENCY_HS"] < 1e-6
    assert values["CONSISTENCY_MS"] < 1e-5
    assert values["QNR"] == pytest.approx(1, abs=0.12)
    assert values["RATIO"] == 4
    assert values["ERGAS"] == 0
    assert values["SSIM"] == values["UIQI"] == 1
    assert values["PSNR"] == pytest.approx(144.5, abs=0.01)


def test_without_a_reference_a_worse_image_is_told_from_a_better_one(run, pair, make_raster):
    inputs = {name: pair[name] for name in ("hyperspectral", "multispectral")}
    good, _ = run(pair["reference"], **inputs)
    assert good["PSNR"] is None
    assert set(good["BY_BAND"]) == {"CONSISTENCY_HS"}
    truth = scene()
    spoilt = truth + np.random.default_rng(1).normal(0, 300, truth.shape).astype("float32")
    noisy, _ = run(make_raster(spoilt), **inputs)
    assert noisy["QNR"] < good["QNR"] - 0.1
    assert noisy["D_LAMBDA"] > good["D_LAMBDA"]
    assert noisy["D_S"] > good["D_S"]
    assert noisy["CONSISTENCY_HS"] > 0.01
    assert noisy["CONSISTENCY_MS"] > 0.01


def test_qnr_is_the_definition_written_out(run, pair, make_raster):
    """Both images are cut into whole blocks, and Q is taken by scikit-image, pair by pair."""
    truth = scene()
    fused = truth + np.random.default_rng(1).normal(0, 100, truth.shape).astype("float32")
    names = ("hyperspectral", "multispectral")
    inputs = {name: pair[name] for name in names}
    values, _ = run(make_raster(fused), **inputs, psf_sigma=DEFAULT_SIGMA)
    coarse, guide = (rasterio.open(pair[name]).read().astype(float) for name in names)
    place = (np.arange(8) - 3.5) / (4 / 2.354820045)
    kernel = np.exp(-0.5 * place**2)
    kernel /= kernel.sum()
    padded = np.pad(guide, ((0, 0), (2, 2), (2, 2)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), (1, 2))[:, ::4, ::4]
    seen = np.einsum("bhwij,i,j->bhw", windows, kernel, kernel)
    q_fine = blockwise_q(np.concatenate([fused.astype(float), guide]), 32)
    q_coarse = blockwise_q(np.concatenate([coarse, seen]), 8)
    change = np.abs(q_fine - q_coarse)
    off = ~np.eye(BANDS, dtype=bool)
    assert values["D_LAMBDA"] == pytest.approx(change[:BANDS, :BANDS][off].mean(), rel=1e-4)
    assert values["D_S"] == pytest.approx(change[:BANDS, BANDS:].mean(), rel=1e-4)
    expected = (1 - values["D_LAMBDA"]) * (1 - values["D_S"])
    assert values["QNR"] == pytest.approx(expected)


def blockwise_q(image, side):
    """Mean Q of every two bands over blocks weighed by their pixels, by numpy's own covariance."""
    total, pixels = 0.0, 0
    for row in range(0, image.shape[1], side):
        for col in range(0, image.shape[2], side):
            part = image[:, row : row + side, col : col + side].reshape(len(image), -1)
            covariance, means = np.cov(part, bias=True), part.mean(1)
            spread = np.diag(covariance)
            q = 4 * covariance * np.outer(means, means)
            q /= (spread[:, None] + spread) * (means[:, None] ** 2 + means**2)
            total = total + part.shape[1] * q
            pixels += part.shape[1]
    return total / pixels


def test_a_fused_raster_cut_otherwise_is_compared_where_both_are(run, make_raster):
    truth = scene()
    cut = truth[:, 8:40, 4:30] + 3
    place = NORTH_UP * Affine.translation(4, 8)
    values, _ = run(make_raster(cut, place), reference=make_raster(truth))
    assert values["PIXELS"] == 32 * 26
    assert values["RMSE"] == pytest.approx(3, rel=1e-4)
    values, _ = run(make_raster(truth + 3), reference=make_raster(truth[:, 8:40, 4:30], place))
    assert values["PIXELS"] == 32 * 26
    assert values["RMSE"] == pytest.approx(3, rel=1e-4)


def test_scaled_values_are_compared_as_real_ones(run, make_raster):
    truth = scene().astype("uint16")

    def scaled(dataset):
        dataset.scales, dataset.offsets = (0.5,) * BANDS, (10.0,) * BANDS

    stored = make_raster(truth, describe=scaled)
    real = make_raster(truth.astype("float32") * 0.5 + 12)
    values, _ = run(real, reference=stored)
    assert values["RMSE"] == pytest.approx(2, rel=1e-5)
    assert values["PEAK"] == pytest.approx(truth.max() * 0.5 + 10)


def test_edges_give_numbers_or_nothing(run, make_raster):
    truth = scene().astype("uint16")
    truth[2] = 700
    truth[:, :12, :12] = 0
    truth[5, 20:] = 0
    fused = truth.copy()
    fused[:, 30, 30] = 0
    values, _ = run(make_raster(fused), reference=make_raster(truth), ratio=4.0)
    assert values["BY_BAND"]["CORRELATION"][2] is not None
    for name in ("PSNR", "SAM", "ERGAS", "SSIM", "UIQI", "Q2N", "RMSE", "CORRELATION"):
        assert np.isfinite(values[name]), name
    flat = np.full((BANDS, 20, 20), 5, "uint16")
    values, _ = run(make_raster(flat), reference=make_raster(flat), ratio=4.0)
    assert values["CORRELATION"] is None
    assert values["SSIM"] == values["UIQI"] == values["Q2N"] == 1
    black = np.zeros((BANDS, 20, 20), "uint16")
    values, _ = run(make_raster(flat), reference=make_raster(black), ratio=4.0)
    assert values["PSNR"] is values["SAM"] is values["ERGAS"] is values["SSIM"] is None
    assert values["RMSE"] == 5


def test_bad_bands_are_left_out_and_marked(run, make_raster):
    truth = scene()

    def some_bad(dataset):
        names = tuple(f"b{band}" for band in range(BANDS))
        good = tuple(band != 3 for band in range(BANDS))
        write_spectral(dataset, SpectralInfo(names, WAVES, (None,) * BANDS, good))

    fused = truth + 2
    fused[3] += 1000
    values, _ = run(make_raster(fused, describe=some_bad), reference=make_raster(truth))
    assert values["RMSE"] == pytest.approx(2, rel=1e-4)
    assert values["BY_BAND"]["RMSE"][3] is None
    assert len(values["BY_BAND"]["RMSE"]) == BANDS


def test_what_does_not_fit_is_refused(run, make_raster, pair, tmp_path):
    truth = scene()
    path = make_raster(truth)
    cases = [
        (make_raster(truth[:5]), r"12 bands and the reference \S+ 5"),
        (make_raster(truth, NORTH_UP * Affine.scale(2)), "pixels of .* are not those"),
        (make_raster(truth, NORTH_UP * Affine.translation(0.5, 0)), "are not those"),
        (make_raster(truth, NORTH_UP * Affine.translation(500, 0)), "do not overlap"),
        (make_raster(truth, crs="EPSG:32634"), "are not those"),
        (make_raster(truth * 0 - 1, nodata=-1), "No pixel is valid"),
    ]
    for reference, words in cases:
        with pytest.raises(InputError, match=words):
            run(path, reference=reference)
    with pytest.raises(InputError, match="hyperspectral layer that was fused"):
        run(
            make_raster(truth[:5]),
            hyperspectral=pair["hyperspectral"],
            multispectral=pair["multispectral"],
        )
    with pytest.raises(OutputError, match="also an input"):
        run(path, reference=pair["reference"], error_map=pair["reference"])
    with pytest.raises(OutputError, match="does not exist"):
        run(path, reference=pair["reference"], report=str(tmp_path / "none/report.html"))


def test_ergas_without_a_ratio_is_left_out_and_said_so(run, make_raster):
    values, told = run(make_raster(scene() + 1), reference=make_raster(scene()))
    assert values["ERGAS"] is None
    assert "ERGAS is left out" in told
