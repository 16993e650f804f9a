"""Simulated pairs: each sample against sums written out by hand, each pixel on its ground."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import rasterio

from rasd_fusion.rasd_qgis.contract.errors import InputError, OutputError
from rasd_fusion.rasd_qgis.contract.request import RasterSource, SimulateRequest
from rasd_fusion.rasd_qgis.engine import simulate as room
from rasd_fusion.rasd_qgis.engine.rasters.spectral import (
    read_spectral,
)
from rasd_fusion.rasd_qgis.engine.sensors.psf import Blur, blur_of

from .simulations import described, make_reference, simulated


@pytest.fixture
def reference(make_raster):
    return make_reference(make_raster)


@pytest.fixture
def run(tmp_path):
    return partial(simulated, tmp_path)


def by_hand(image, ratio, sigma, first, taps):
    """(B, H, W) → sums of `taps` × `taps` weighted pixels from `first` of every block on; sigma in
    fine pixels. Only blocks whose taps all lie inside, others NaN.
    """
    bands, height, width = image.shape
    middle = (taps - 1) / 2
    kernel = [np.exp(-0.5 * ((tap - middle) / sigma) ** 2) for tap in range(taps)]
    kernel = np.outer(kernel, kernel) / np.sum(kernel) ** 2
    out = np.full((bands, height // ratio, width // ratio), np.nan)
    for row in range(out.shape[1]):
        for col in range(out.shape[2]):
            top, left = row * ratio + first, col * ratio + first
            if top >= 0 and left >= 0 and top + taps <= height and left + taps <= width:
                part = image[:, top : top + taps, left : left + taps]
                out[:, row, col] = (part * kernel).sum(axis=(1, 2))
    return out


@pytest.mark.parametrize(
    ("ratio", "settings_", "sigma", "first", "taps"),
    [
        # The full width at half maximum is the ratio; two coarse pixels of the ratio's parity.
        (4, {}, 4 / 2.354820045, -2, 8),
        (3, {}, 3 / 2.354820045, -2, 7),
        (2, {"psf_sigma": 0.6, "kernel_size": 6}, 1.2, -2, 6),
        # The set-up of the literature: 8 × 8 taps, sigma 3, about pixel 0 of each block.
        (8, {"psf_sigma": 0.375, "kernel_size": 8, "phase": "published"}, 3.0, -4, 8),
        (5, {"psf_sigma": 0.4, "kernel_size": 7, "phase": "published"}, 2.0, -3, 7),
    ],
)
def test_coarse_pixels_are_the_sums_written_out(
    run, reference, ratio, settings_, sigma, first, taps
):
    values, coarse, _ = run(reference, ratio=float(ratio), **settings_)
    fine = rasterio.open(reference).read().astype(float)
    expected = by_hand(fine, ratio, sigma, first, taps)
    inner = np.isfinite(expected)
    assert inner[0].sum() >= 12
    found = coarse.read()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found[inner], expected[inner], rtol=1e-5)
    assert values["PSF_SIGMA"] == pytest.approx(sigma / ratio, rel=1e-6)


@pytest.mark.parametrize("phase", ["centred", "published"])
@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 8.0])
def test_a_coarse_pixel_stands_where_its_ground_is(run, make_raster, ratio, phase):
    """On a slope, which no symmetric blur changes, each pixel tells where its centre lies."""
    rows, cols = np.mgrid[0:48, 0:48] + 0.5
    slope = (1000 + 3 * rows - 2 * cols).astype("float32")
    path = make_raster(np.stack([slope * gain for gain in (1, 2, 3, 4, 5)]))
    _, coarse, guide = run(path, ratio=ratio, phase=phase, random_bands=2)
    source = rasterio.open(path)
    assert guide.transform == source.transform
    height, width = coarse.shape
    x, y = coarse.transform * (np.arange(width) + 0.5, np.full(width, height // 2 + 0.5))
    col, row = ~source.transform * (x, y)
    expected = 1000 + 3 * row - 2 * col
    away = slice(2, -2)
    np.testing.assert_allclose(coarse.read(1)[height // 2][away], expected[away], rtol=1e-5)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 6.5])
@pytest.mark.parametrize("mtf", [0.15, 0.3, 0.4])
def test_a_wave_at_nyquist_keeps_the_mtf_asked_for(ratio, mtf):
    request = SimulateRequest(
        "0123abcd", RasterSource("r"), "hs.tif", "ms.tif", ratio=ratio, mtf=mtf
    )
    blur = blur_of(request)
    place = np.arange(0, 40 * ratio, 0.001)
    inside = np.abs(place - 20 * ratio) <= blur.reach * blur.sigma * ratio
    assert blur.mtf(ratio) == pytest.approx(mtf, abs=1e-6)
    # The same integral over a finely sampled Gaussian: pixels only discretise it.
    weight = np.exp(-0.5 * ((place - 20 * ratio) / (blur.sigma * ratio)) ** 2) * inside
    wave = np.cos(np.pi * (place - 20 * ratio) / ratio)
    assert (weight * wave).sum() / weight.sum() == pytest.approx(mtf, abs=0.06)


def test_a_wave_at_nyquist_comes_out_with_the_mtf_told(run, make_raster):
    cols = np.arange(64) + 0.5
    wave = np.cos(np.pi * (cols - 2) / 4)[None, None].repeat(32, 1).astype("float32")
    path = make_raster(100 + np.concatenate([wave, 2 * wave, wave]))
    values, coarse, _ = run(path, ratio=4.0, mtf=0.25, random_bands=1)
    found = coarse.read(1)[3, 3:-3] - 100
    np.testing.assert_allclose(np.abs(found), 0.25, atol=1e-4)
    assert (np.sign(found[1:]) == -np.sign(found[:-1])).all()
    assert values["MTF"] == pytest.approx(0.25, abs=1e-6)


def test_an_mtf_that_no_kernel_has_is_refused(run, reference):
    with pytest.raises(InputError, match=r"MTF of 0\.2 .* larger kernel"):
        run(reference, ratio=8.0, mtf=0.2, kernel_size=8)


def test_noise_has_the_ratio_asked_for_band_by_band(run, make_raster, tmp_path):
    gains = 10.0 ** np.arange(4)[:, None, None]
    fine = (np.random.default_rng(2).uniform(1, 2, (4, 256, 256)) * gains).astype("float32")
    path = make_raster(fine)
    noise = {"snr_coarse": 30.0, "snr_guide": 20.0, "random_bands": 2, "ratio": 2.0}
    clean = [image.read().astype(float) for image in run(path, random_bands=2, ratio=2.0)[1:]]
    noisy = [image.read().astype(float) for image in run(path, **noise)[1:]]
    for before, after, snr in zip(clean, noisy, (30.0, 20.0)):
        signal, error = np.square(before).mean((1, 2)), np.square(after - before).mean((1, 2))
        np.testing.assert_allclose(10 * np.log10(signal / error), snr, atol=0.15)
        assert np.abs(np.corrcoef((after - before).reshape(len(after), -1))).max() == 1
        off = ~np.eye(len(after), dtype=bool)
        assert np.abs(np.corrcoef((after - before).reshape(len(after), -1))[off]).max() < 0.05
    again = run(path, **noise)[1].read()
    np.testing.assert_array_equal(again, noisy[0].astype("float32"))
    assert (run(path, **noise, seed=1)[1].read() != again).any()


def test_holes_stay_holes_and_lend_nothing_to_their_neighbours(run, make_raster):
    fine = np.full((5, 32, 32), 50, "uint16")
    holed = fine.copy()
    holed[:, 9:11, 9:11] = 60000
    _, coarse, guide = run(make_raster(holed, nodata=60000), random_bands=2)
    assert (guide.read()[:, 9:11, 9:11] == 60000).all()
    whole = np.ones((32, 32), dtype=bool)
    whole[9:11, 9:11] = False
    assert (guide.read()[:, whole] == 50).all()
    found = coarse.read()[0]
    # Of pixel (2, 2)'s neighbours those at its corners see less than a hundredth of the hole.
    cross = np.zeros((8, 8), dtype=bool)
    cross[2, 1:4] = cross[1:4, 2] = True
    assert (found[cross] == 60000).all()
    assert (found[~cross] == 50).all()


def test_storage_carries_over(run, make_raster):
    fine = np.random.default_rng(3).integers(0, 9000, (4, 32, 32)).astype("int16")
    describe = described((450.0, 550.0, 650.0, 850.0), scales=(1e-4,) * 4, offsets=(-0.1,) * 4)
    path = make_raster(fine, nodata=-9999, describe=describe)
    _, coarse, guide = run(path, random_bands=3)
    for made in (coarse, guide):
        assert made.dtypes[0] == "int16"
        assert made.nodata == -9999
        assert made.scales == (1e-4,) * made.count
        assert made.offsets == (-0.1,) * made.count
        assert json.loads(made.tags()["provenance"])["phase"] == "centred"
    assert read_spectral(coarse).wavelengths == (450.0, 550.0, 650.0, 850.0)


def test_bands_scaled_apart_are_refused(run, make_raster):
    describe = described((None,) * 4, scales=(1.0, 1.0, 1.0, 2.0))
    path = make_raster(np.ones((4, 16, 16), "int16"), describe=describe)
    with pytest.raises(InputError, match="differ"):
        run(path, random_bands=2)


def test_a_band_that_is_dead_stays_so_and_is_not_summed(run, make_raster):
    fine = np.random.default_rng(4).uniform(1, 9, (5, 24, 24)).astype("float32")
    fine[2] = -1
    _, coarse, guide = run(make_raster(fine, nodata=-1), random_bands=2, ratio=3.0)
    assert (coarse.read(3) == -1).all()
    assert (coarse.read([1, 2, 4, 5]) > 0).all()
    assert (guide.read() >= 1).all()


def test_extent_and_ratios_that_are_not_whole(run, reference):
    x, y = 400000 + 10 * 5, 5800000 - 10 * 8
    extent = (x, y - 10 * 20, x + 10 * 30, y)
    values, coarse, guide = run(reference, ratio=2.5, extent=extent)
    assert (guide.height, guide.width) == (20, 30)
    assert (coarse.height, coarse.width) == (8, 12)
    assert coarse.transform * (0, 0) == guide.transform * (0, 0) == (x, y)
    assert coarse.res == (25, 25)
    assert values["RATIO"] == 2.5
    with pytest.raises(InputError, match="less than one coarse pixel"):
        run(reference, ratio=64.0)
    with pytest.raises(InputError, match="whole ratio"):
        run(reference, ratio=2.5, phase="published")


def test_pieces_leave_no_seam(run, reference, monkeypatch):
    whole = [image.read() for image in run(reference, snr_coarse=None, ratio=4.0)[1:]]
    monkeypatch.setattr(room, "BLOCK", 16)
    parts = [image.read() for image in run(reference, snr_coarse=None, ratio=4.0)[1:]]
    for one, other in zip(whole, parts):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_what_cannot_be_simulated_is_refused(run, reference, make_raster, tmp_path):
    with pytest.raises(InputError, match="no more than the 4"):
        run(make_raster(np.ones((4, 16, 16), "float32")))
    with pytest.raises(OutputError, match="also an input"):
        run(reference, guide_output=reference)
    with pytest.raises(OutputError, match="also an input"):
        run(reference, guide_output=str(tmp_path / "hs.tif"))
    assert not (tmp_path / "hs.tif").exists()


def test_a_blur_is_told_by_its_numbers():
    narrow, wide = Blur(0.3, 2.355), Blur(0.6, 2.355)
    assert 0 < wide.mtf(4) < narrow.mtf(4) < 1
    assert replace(narrow, sigma=0.0).mtf(4) == pytest.approx(
        np.cos(np.pi / 8), abs=1e-6
    )  # two pixels half a pixel off the centre
