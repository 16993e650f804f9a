"""Outputs in cells: a VRT that shows what one file would hold, whole or not at all."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio

from rasd_fusion.rasd_qgis.contract.errors import OutputError
from rasd_fusion.rasd_qgis.engine import pipeline
from rasd_fusion.rasd_qgis.engine.rasters import cells, write

from .scenes import awaken, make_scene, run

SIDE = 300


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A pair of which only one corner has nodata, stored as integers with a scale."""
    monkeypatch.setattr(cells, "CELL", write.BLOCK)
    made = make_scene(tmp_path, SIDE)
    hs, ms = (8 * made.hs).round().astype("uint16"), made.ms.astype("float32")
    ms[:, 5:9, 5:9] = np.nan

    def describe(dataset):
        dataset.scales, dataset.offsets = [0.125] * len(hs), [1.0] * len(hs)
        dataset.update_tags(3, wavelength="600", wavelength_units="Nanometers")

    paths = made.write_hs(hs, describe=describe), made.write_ms(ms)
    model = str(tmp_path / "model.safetensors")
    run(tmp_path, *paths, training_steps=0, model_output=model)
    return (*paths, {"model": "file", "model_file": awaken(model), "tile_size": 128})


def test_a_vrt_shows_what_a_file_would_hold(tmp_path, pair):
    hs, ms, settings = pair
    folder, maps = tmp_path / "out", {}
    folder.mkdir()
    results = []
    for suffix in (".tif", ".vrt"):
        maps[suffix] = str(folder / f"maps{suffix}")
        usual = {**settings, "confidence": maps[suffix]}
        results.append(run(tmp_path, hs, ms, output=str(folder / f"fused{suffix}"), **usual))
    whole, joined = results
    np.testing.assert_array_equal(joined.bands, whole.bands)
    np.testing.assert_array_equal(joined.valid, whole.valid)
    for key in ("crs", "transform", "nodata", "dtype", "scales", "offsets"):
        assert joined.profile[key] == whole.profile[key]
    with rasterio.open(maps[".tif"]) as one, rasterio.open(maps[".vrt"]) as other:
        np.testing.assert_array_equal(one.read(), other.read())
        assert other.descriptions == one.descriptions
        assert other.tags()["provenance"] == one.tags()["provenance"]
    with rasterio.open(folder / "fused.vrt") as dataset:
        assert dataset.tags(3)["wavelength"] == "600"
    assert joined.warnings == [text.replace(".tif", ".vrt") for text in whole.warnings]
    names = ["fused.tif", "fused.tiles-0123abcd", "fused.vrt", "maps.tif"]
    assert sorted(os.listdir(folder)) == [*names, "maps.tiles-0123abcd", "maps.vrt"]
    assert len(os.listdir(folder / names[1])) == 4
    # The folder may be moved: nothing in it is named by where it lay.
    moved = folder.rename(tmp_path / "moved")
    tree = ElementTree.parse(moved / "fused.vrt")
    assert {name.get("relativeToVRT") for name in tree.iter("SourceFilename")} == {"1"}
    with rasterio.open(moved / "fused.vrt") as dataset:
        np.testing.assert_array_equal(dataset.read(), whole.bands)


def test_a_later_run_replaces_vrt_and_cells_and_a_failed_one_does_not(tmp_path, pair, monkeypatch):
    hs, ms, settings = pair
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "other.tiles-0123abcd").mkdir()
    usual = {**settings, "output": str(folder / "fused.vrt")}
    first = run(tmp_path, hs, ms, **usual)
    kept = ["fused.tiles-0123abcd", "fused.vrt", "other.tiles-0123abcd"]
    real, done = pipeline.fuse_tile, []

    def fails(*given):
        done.append(1)
        if len(done) == 4:
            raise OutputError("Cut.")
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "fuse_tile", fails)
        with pytest.raises(OutputError, match="Cut"):
            run(tmp_path, hs, ms, run_id="ffff0000", **usual)
    assert sorted(os.listdir(folder)) == kept
    with rasterio.open(folder / "fused.vrt") as dataset:
        np.testing.assert_array_equal(dataset.read(), first.bands)
    run(tmp_path, hs, ms, run_id="ffff0000", **usual)
    again = run(tmp_path, hs, ms, run_id="ffff0000", **usual)
    np.testing.assert_array_equal(again.bands, first.bands)
    assert sorted(os.listdir(folder)) == ["fused.tiles-ffff0000", *kept[1:]]
