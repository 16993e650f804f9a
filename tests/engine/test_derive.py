"""Components and index: held to numpy on the whole image."""

from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio

from rasd_fusion.rasd_qgis.contract.derive_request import DeriveRequest
from rasd_fusion.rasd_qgis.contract.errors import InputError, RequestError
from rasd_fusion.rasd_qgis.contract.request import RasterSource, from_json, to_json
from rasd_fusion.rasd_qgis.engine.derive import derive
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from rasd_fusion.rasd_qgis.engine.service.report import Reporter

from .scenes import write

WAVES = (480.0, 560.0, 660.0, 790.0, 900.0)


def run(folder, path, **settings):
    usual = {"components": str(folder / "pc.tif"), "index": str(folder / "nd.tif")}
    request = DeriveRequest("0123abcd", RasterSource(str(path)), **{**usual, **settings})
    return derive(from_json(to_json(request)), Reporter(io.StringIO()))


@pytest.fixture
def scene(tmp_path):
    """(5, 40, 300): wider than a block, two materials and noise, a border of nodata, a bad band."""
    random = np.random.default_rng(0)
    mix = random.normal(size=(2, 40, 300))
    cube = 2000 + 200 * np.tensordot(random.normal(size=(5, 2)), mix, 1)
    cube = np.rint(cube + random.normal(0, 5, cube.shape)).astype("uint16")
    cube[:, :, :4] = 65535

    def describe(dataset):
        good = (True, True, True, True, False)
        write_spectral(dataset, SpectralInfo(("",) * 5, WAVES, (10.0,) * 5, good))
        dataset.scales = (0.0001,) * 5

    return cube, write(tmp_path / "cube.tif", cube, nodata=65535, describe=describe)


def test_components_are_those_of_the_good_bands(tmp_path, scene):
    cube, path = scene
    values = run(tmp_path, path, count=3)
    pixels = 0.0001 * cube[:4, :, 4:].reshape(4, -1).astype("float64")
    strengths = np.linalg.eigvalsh(np.cov(pixels, bias=True))[::-1]
    assert values["EXPLAINED"] == pytest.approx(strengths[:3] / strengths.sum(), abs=1e-5)
    with rasterio.open(tmp_path / "pc.tif") as dataset:
        found = dataset.read()
        assert dataset.count == 3
    assert np.isnan(found[:, :, :4]).all()
    seen = found[:, :, 4:].reshape(3, -1)
    np.testing.assert_allclose(seen.var(1), strengths[:3], rtol=1e-3)
    np.testing.assert_allclose(seen.mean(1), 0, atol=1e-5)
    assert abs(np.corrcoef(seen)[0, 1]) < 1e-3


def test_the_index_is_of_the_nearest_good_bands(tmp_path, scene):
    cube, path = scene
    assert run(tmp_path, path)["BANDS"] == [4, 3]
    with rasterio.open(tmp_path / "nd.tif") as dataset:
        found = dataset.read(1)[:, 4:]
    first, second = cube[3, :, 4:].astype("float64"), cube[2, :, 4:].astype("float64")
    np.testing.assert_allclose(found, (first - second) / (first + second), rtol=1e-4, atol=1e-6)


def test_an_output_that_is_not_asked_for_is_not_made(tmp_path, scene):
    assert run(tmp_path, scene[1], index=None)["BANDS"] is None
    assert not (tmp_path / "nd.tif").exists()
    with pytest.raises(RequestError, match="Neither"):
        run(tmp_path, scene[1], index=None, components=None)


def test_wavelengths_that_no_band_sees_are_refused(tmp_path, scene):
    with pytest.raises(InputError, match="no good band within 50 nm of 2200 nm"):
        run(tmp_path, scene[1], first=2200.0)
    assert not list(tmp_path.glob("*.part*"))


def test_a_raster_without_data_is_refused(tmp_path):
    empty = write(tmp_path / "empty.tif", np.zeros((4, 20, 20), "uint16"), nodata=0)
    with pytest.raises(InputError, match="nodata"):
        run(tmp_path, empty, index=None)
