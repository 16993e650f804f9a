"""rasd:confidencemap in the engine: the maps are those of a fusion, the routing its own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rasd_fusion.rasd_qgis.contract.errors import InputError, ModelFileError
from rasd_fusion.rasd_qgis.contract.request import ConfidenceRequest, RasterSource
from rasd_fusion.rasd_qgis.engine.routes import confidence
from rasd_fusion.rasd_qgis.engine.service.report import Reporter

from .scenes import FINE, awaken, make_scene, run, write


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A pair of 52 pixels a side, which the network pads, and a model of it."""
    folder = tmp_path_factory.mktemp("trained")
    scene = make_scene(folder, side=52)
    hs, ms, model = scene.write_hs(), scene.write_ms(), str(folder / "model.safetensors")
    run(folder, hs, ms, model_output=model)
    return hs, ms, awaken(model)


def mapped(folder, trained, **changes):
    hs, ms, model = trained
    usual = {
        "run_id": "0123abcd",
        "hyperspectral": RasterSource(hs),
        "multispectral": RasterSource(ms),
        "model_file": model,
        "folder": str(Path(folder) / "maps"),
        "device": "cpu",
    }
    request = ConfidenceRequest(**{**usual, **changes})
    return request, confidence(request, Reporter(io.StringIO()))


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize("tile_size", [512, 32])
def test_the_confidence_is_that_of_a_fusion_at_that_ratio(tmp_path, trained, tile_size):
    hs, ms, model = trained
    request, _ = mapped(tmp_path, trained, ratios=(0.3, 0.5), tile_size=tile_size)
    for ratio in request.ratios:
        path = str(tmp_path / "confidence.tif")
        settings = {"model": "file", "model_file": model, "routing_ratio": ratio}
        run(tmp_path, hs, ms, confidence=path, tile_size=tile_size, **settings)
        np.testing.assert_allclose(read(request.confidence_path(ratio)), read(path), atol=1e-5)
    assert np.abs(read(path) - read(request.confidence_path(0.3))).max() > 1e-3


def test_without_a_file_the_model_is_the_one_that_ships(tmp_path, trained):
    hs, ms, _ = trained
    request, values = mapped(tmp_path, (hs, ms, None))
    path = str(tmp_path / "confidence.tif")
    fused = run(tmp_path, hs, ms, confidence=path, model="bundled")
    assert values["MODEL_HASH"] == fused.values["MODEL_HASH"]
    np.testing.assert_allclose(read(request.confidence_path(0.5)), read(path), atol=1e-5)
    assert set(np.unique(read(request.routing_path(0.5)))) == {0, 1}


def test_the_routing_is_by_confidence(tmp_path, trained):
    """In one tile, all that a map sends low-rank is more confident than all that it does not."""
    request, values = mapped(tmp_path, trained, ratios=(0.5,))
    routing, maps = read(request.routing_path(0.5)), read(request.confidence_path(0.5))
    assert routing.shape == (10, 52, 52)
    assert set(np.unique(routing)) == {0, 1}
    for mask, trust in zip(routing, maps[1:]):
        assert trust[mask == 1].min() >= trust[mask == 0].max()
    fine, coarse = routing[0::2].mean(), routing[1::2].mean()
    assert values["LOW_RANK_SHARES"] == [pytest.approx((fine + coarse / 64) / (1 + 1 / 64))]
    assert 0.35 < routing.mean() < 0.65


def test_the_ends_of_the_dial_send_all_points_one_way(tmp_path, trained):
    request, values = mapped(tmp_path, trained, ratios=(1.0, 0.0))
    assert values["LOW_RANK_SHARES"] == [1.0, 0.0]
    assert (read(request.routing_path(1.0)) == 1).all()
    assert (read(request.routing_path(0.0)) == 0).all()


def test_bands_are_named_and_invalid_pixels_have_no_branch(tmp_path):
    scene = make_scene(tmp_path, side=48)
    ms = scene.ms.astype("float32")
    ms[:, :6, :9] = -1
    paths = scene.write_hs(), scene.write_ms(ms, nodata=-1)
    model = str(tmp_path / "m.safetensors")
    run(tmp_path, *paths, model_output=model)
    request, _ = mapped(tmp_path, (*paths, model))
    with rasterio.open(request.routing_path(0.5)) as dataset:
        assert (dataset.dtypes[0], dataset.nodata, dataset.transform) == ("uint8", 255, FINE)
        assert dataset.descriptions[-1] == "stage 5, 1/8 scale"
        routing = dataset.read()
    hole = np.zeros((48, 48), bool)
    hole[:6, :9] = True
    assert (routing[:, hole] == 255).all()
    assert set(np.unique(routing[:, ~hole])) == {0, 1}


def test_all_maps_appear_or_none(tmp_path, trained):
    _, ms, model = trained
    with pytest.raises(InputError):
        mapped(tmp_path, (str(tmp_path / "nowhere.tif"), ms, model))
    other = write(tmp_path / "other.tif", np.ones((9, 13, 13), "float32"), FINE * FINE.scale(4))
    with pytest.raises(ModelFileError, match="8 hyperspectral bands"):
        mapped(tmp_path, (other, ms, model))
    folder = tmp_path / "maps"
    assert not folder.exists() or not list(folder.iterdir())
