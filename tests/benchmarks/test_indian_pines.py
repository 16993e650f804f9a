"""The demo's pair, and the peers on it: the figures that the README states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rasd_fusion.benchmarks import indian_pines, metrics, rasters
from rasd_fusion.benchmarks.indian_pines import RATIO, Pair
from rasd_fusion.benchmarks.peers import cubic, glp


@pytest.fixture(scope="module")
def pair() -> Pair:
    return indian_pines.load_pair()


def test_shapes_and_counts(pair: Pair) -> None:
    assert pair.hyperspectral.shape == (200, 36, 36)
    assert pair.multispectral.shape == (10, 144, 144)
    assert pair.reference.shape == (200, 144, 144)
    for image in (pair.hyperspectral, pair.multispectral, pair.reference):
        assert 0 <= image.min() <= image.max() <= 65534
        np.testing.assert_array_equal(image, np.rint(image))


def test_response_rows_sum_to_one_at_their_bands(pair: Pair) -> None:
    response = indian_pines.sentinel2_response(np.array(pair.wavelengths))
    np.testing.assert_allclose(response.sum(axis=1), 1.0)
    nominal = (492, 560, 665, 704, 741, 783, 833, 865, 1614, 2202)
    np.testing.assert_allclose(pair.guide_wavelengths, nominal, atol=7)


def test_peers_reach_their_figures(pair: Pair) -> None:
    upsampled = cubic.upsample(pair.hyperspectral, RATIO)
    assert metrics.psnr(upsampled, pair.reference) == pytest.approx(41.27, abs=0.02)
    assert metrics.spectral_angle(upsampled, pair.reference) == pytest.approx(2.471, abs=0.005)
    sharpened = glp.fuse(pair.hyperspectral, pair.multispectral, RATIO)
    assert metrics.psnr(sharpened, pair.reference) == pytest.approx(52.71, abs=0.02)
    assert metrics.spectral_angle(sharpened, pair.reference) == pytest.approx(1.590, abs=0.005)


def test_glp_returns_a_scene_that_its_guide_explains() -> None:
    rng = np.random.default_rng(0)
    guide = rng.uniform(0, 100, size=(3, 32, 32))
    scene = np.tensordot(rng.normal(size=(12, 3)), guide, axes=1) + 5.0
    coarse = indian_pines.blur_and_decimate(scene, RATIO)
    np.testing.assert_allclose(glp.fuse(coarse, guide, RATIO), scene, atol=1e-8)


def test_files_tell_place_values_and_wavelengths(pair: Pair, tmp_path: Path) -> None:
    rasters.write_pair(tmp_path, pair)
    with rasterio.open(tmp_path / "hyperspectral.tif") as coarse:
        assert coarse.dtypes[0] == "uint16"
        assert coarse.crs.to_epsg() == 32616
        assert coarse.tags(1, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"] == "0.40002"
        np.testing.assert_array_equal(coarse.read(), pair.hyperspectral)
        bounds = coarse.bounds
    for name in ("multispectral.tif", "reference.tif"):
        with rasterio.open(tmp_path / name) as fine:
            assert fine.bounds == bounds
            assert fine.res == (20.0, 20.0)
    np.testing.assert_array_equal(rasters.read(tmp_path / "reference.tif"), pair.reference)
