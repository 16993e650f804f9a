"""Seams: a result in tiles is the result in one, and its tiles' borders are lines like others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from rasd_fusion.models import RASDFuNet
from rasd_fusion.rasd_qgis.engine.scene.network import SceneNetwork
from rasd_fusion.rasd_qgis.engine.scene.tile import plan

from .scenes import awaken, make_scene, run

SIDE = 330
# Of the range: limits of the root mean square difference, and of a border's step to other lines'.
MOST_MISS, MOST_STEP = 0.005, 0.05


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A pair with islands of nodata, one across a border; a model that has a say."""
    folder = tmp_path_factory.mktemp("scene")
    made = make_scene(folder, SIDE, 4.0)
    ms = made.ms.astype("float32")
    ms[:, 100:140, 150:200] = np.nan
    ms[:, 8:40, 8:60] = np.nan
    ms[:, 18:30, 18:50] = made.ms[:, 18:30, 18:50]
    paths = made.write_hs(), made.write_ms(ms)
    model = str(folder / "model.safetensors")
    run(folder, *paths, training_steps=0, model_output=model)
    return (*paths, awaken(model))


def fused(folder, scene, tile_size, **settings):
    """The bands and the confidence maps, each (bands, H, W), NaN in nodata."""
    folder = Path(folder, str(tile_size))
    folder.mkdir()
    maps = str(folder / "confidence.tif")
    settings = {"confidence": maps, "tile_size": tile_size, **settings}
    result = run(folder, *scene[:2], model="file", model_file=scene[2], **settings)
    with rasterio.open(maps) as dataset:
        return np.where(result.valid, result.bands, np.nan), dataset.read().astype("float64")


def borders(tile_size):
    """The lines where a tile begins or ends, other than the image's edges."""
    spans = [place.cols for place in plan((SIDE, SIDE), tile_size, RASDFuNet.tiling)[0]]
    return sorted({s.start for s in spans} | {s.stop for s in spans} - {0, SIDE})[1:]


def step_on(lines, image, axis):
    """The mean absolute step across lines, by that across all others."""
    steps = np.nanmean(np.abs(np.diff(image, axis=axis)), axis=tuple({0, 1, 2} - {axis}))
    on = np.isin(np.arange(1, SIDE), lines)
    return steps[on].mean() / steps[~on].mean()


@pytest.mark.parametrize("tile_size", [64, 256])
def test_no_measure_finds_the_borders_of_tiles(tmp_path, scene, tile_size):
    lines = borders(tile_size)
    assert lines
    for whole, tiled in zip(fused(tmp_path, scene, 512), fused(tmp_path, scene, tile_size)):
        np.testing.assert_array_equal(np.isnan(whole), np.isnan(tiled))
        miss = np.sqrt(np.nanmean((whole - tiled) ** 2))
        assert miss < MOST_MISS * (np.nanmax(whole) - np.nanmin(whole))
        for axis in (1, 2):
            here, there = (step_on(lines, image, axis) for image in (tiled, whole))
            assert here == pytest.approx(there, rel=MOST_STEP)


def test_the_measure_finds_a_border_where_there_is_one():
    """The same of tiles that were cut without an overlap, a little brighter one by one."""
    image = np.random.default_rng(0).normal(0, 1, (1, SIDE, SIDE)).cumsum(2)
    lines = borders(64)
    shifted = image + 2 * (np.arange(SIDE) >= lines[0])
    assert step_on(lines, shifted, 2) > (1 + MOST_STEP) * step_on(lines, image, 2)


def test_tiles_are_halved_where_the_memory_of_the_gpu_does_not_hold_them(
    tmp_path, scene, monkeypatch
):
    real, sides = SceneNetwork.fuse, []

    def short_of_memory(model, tile, *given):
        sides.append(tile.valid.shape[1])
        if sides[-1] > 200:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(model, tile, *given)

    monkeypatch.setattr(SceneNetwork, "fuse", short_of_memory)
    settings = {"model": "file", "model_file": scene[2], "tile_size": 512}
    halved = run(tmp_path, *scene[:2], **settings)
    assert sides[0] == SIDE and max(sides[2:]) <= 200
    assert [text for text in halved.warnings if "tiles are halved" in text]
    monkeypatch.undo()
    small = run(tmp_path, *scene[:2], **{**settings, "tile_size": 256})
    np.testing.assert_array_equal(halved.bands, small.bands)


def test_a_gpu_that_does_not_hold_the_least_tile_is_told_of(tmp_path, scene, monkeypatch):
    def out_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(SceneNetwork, "fuse", out_of_memory)
    with pytest.raises(torch.OutOfMemoryError):
        run(tmp_path, *scene[:2], model="file", model_file=scene[2], tile_size=512)
