"""MODEL=bundled from files to files: uncertainty, holes, tiles, its model file, and its doubts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch

from rasd_fusion.rasd_qgis.contract.errors import OutputError
from rasd_fusion.rasd_qgis.engine.general.doubts import doubts
from rasd_fusion.rasd_qgis.engine.outputs import START_IMAGE
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from rasd_fusion.rasd_qgis.engine.scene.survey import Block

from .known import cube, known
from .scenes import BANDS, FINE, Scene, centres, make_scene, run

SIDE = 48


def fused(folder, hs, ms, **settings):
    return run(folder, hs, ms, model="bundled", training_steps=None, **settings)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(), dict(dataset.profile), dataset.tags()


def test_it_says_how_near_the_ground_it_is_in_every_band(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    hs, ms = scene.hs.astype("float32"), scene.ms.astype("float32")
    hs[:, 3:5, 6:9], ms[1, 30:33, 2:7] = -1, np.nan
    hs[2] = 7.0
    path = str(tmp_path / "uncertainty.tif")
    result = fused(tmp_path, scene.write_hs(hs, nodata=-1), scene.write_ms(ms), uncertainty=path)
    expected = np.ones((SIDE, SIDE), bool)
    expected[12:20, 24:36] = expected[30:33, 2:7] = False
    assert (result.valid == expected).all()
    varying = np.arange(BANDS) != 2
    truth = scene.ground.at(*centres(FINE, SIDE, SIDE))[varying][:, expected]
    found = result.bands[varying][:, expected]
    assert np.abs(result.bands[2, expected] - 7.0).max() < 1e-3
    assert result.values["TRAINING_SECONDS"] == 0.0
    assert result.values["CONSISTENCY_HS"] < 0.02
    spread, profile, tags = read(path)
    assert (profile["count"], profile["dtype"]) == (BANDS, "float32")
    assert np.isnan(profile["nodata"]) and np.isnan(spread[:, ~expected]).all()
    # Of a band that never varies no error is known.
    assert np.isnan(spread[2]).all()
    spread = spread[varying][:, expected]
    assert (spread > 0).all()
    assert 0.7 < (np.abs(found - truth) <= spread).mean()
    assert '"start": "any"' in tags["provenance"]


def test_ground_without_noise_is_met_closely(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    result = fused(tmp_path, scene.write_hs(), scene.write_ms())
    truth = scene.ground.at(*centres(FINE, SIDE, SIDE))
    blocky = scene.hs.repeat(4, 1).repeat(4, 2)
    missed, rough = (np.square(one - truth)[result.valid] for one in (result.bands, blocky))
    assert missed.mean() < 0.05 * rough.mean()


def test_a_model_that_cannot_tell_its_error_is_refused_the_raster_of_it(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    paths, model = (scene.write_hs(), scene.write_ms()), str(tmp_path / "scene.safetensors")
    run(tmp_path, *paths, model="scene", model_output=model)
    (tmp_path / "fused.tif").unlink()
    with pytest.raises(OutputError, match="cannot tell how far"):
        run(tmp_path, *paths, model="file", model_file=model, uncertainty=str(tmp_path / "u.tif"))
    assert not (tmp_path / "fused.tif").exists()
    assert not (tmp_path / "u.tif").exists()


def test_its_model_file_gives_the_same_pixels_and_serves_another_pair(tmp_path):
    scene, model = make_scene(tmp_path, SIDE), str(tmp_path / "model.safetensors")
    paths = scene.write_hs(), scene.write_ms()
    first = fused(tmp_path, *paths, model_output=model)
    again = run(tmp_path, *paths, model="file", model_file=model)
    np.testing.assert_array_equal(first.bands, again.bands)
    assert first.values["MODEL_HASH"] == again.values["MODEL_HASH"]
    other = make_scene(tmp_path, 40, ratio=2.5, seed=3)
    # Other bands, another ratio, other ground.
    hs, ms = (
        other.write_hs(other.hs[:5].astype("float32")),
        other.write_ms(other.ms[:2].astype("float32")),
    )
    refitted, direct = (
        run(tmp_path, hs, ms, model="file", model_file=model),
        fused(tmp_path, hs, ms),
    )
    np.testing.assert_array_equal(refitted.bands, direct.bands)
    assert refitted.values["MODEL_HASH"] != first.values["MODEL_HASH"]


def test_tiles_show_no_seam(tmp_path, monkeypatch):
    scene = make_scene(tmp_path, 224, noise=3.0)
    paths, starts = (scene.write_hs(), scene.write_ms()), []
    monkeypatch.setenv(START_IMAGE, str(tmp_path / "start.tif"))

    def tiles_of(size):
        result = fused(tmp_path, *paths, tile_size=size)
        starts.append(read(tmp_path / "start.tif")[0])
        return result.bands

    whole, tiled = tiles_of(512), tiles_of(64)
    assert np.abs(starts[1] - starts[0]).max() < 1e-3 * np.ptp(starts[0])
    missed = np.abs(whole - tiled) / np.ptp(whole)
    # Points are routed by their rank in a tile, so that few change their branch with its size.
    assert np.quantile(missed, 0.98) < 5e-3
    assert missed.max() < 0.05


@pytest.mark.parametrize(
    ("side", "ratio", "bands", "valid"), [(10, 2.0, 8, None), (20, 4.0, 4, None), (48, 4.0, 8, 1)]
)
def test_tiny_layers_and_a_single_valid_block(tmp_path, side, ratio, bands, valid):
    scene = make_scene(tmp_path, side, ratio)
    hs = scene.hs[:bands].astype("float32")
    if valid:
        hs[:, :, valid:] = hs[:, valid:] = np.nan
    result = fused(tmp_path, scene.write_hs(hs), scene.write_ms())
    assert result.valid.sum() == bands * (side**2 if valid is None else round(ratio) ** 2)
    found = result.bands[result.valid]
    assert np.isfinite(found).all()
    assert found.min() >= 0.0
    assert found.max() < 2000.0


def spectral(waves):
    count = len(waves)
    return SpectralInfo(("",) * count, tuple(waves), (None,) * count, (True,) * count)


def described(scene: Scene, guide_waves) -> tuple[str, str]:
    """The pair's files with bands from 450 to 900 nm, and these of the guide."""
    waves = spectral(np.linspace(450, 900, len(scene.hs)))
    return (
        scene.write_hs(describe=lambda dataset: write_spectral(dataset, waves)),
        scene.write_ms(describe=lambda dataset: write_spectral(dataset, spectral(guide_waves))),
    )


def test_an_ordinary_pair_raises_no_doubt_and_one_beyond_the_guide_does(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    assert fused(tmp_path, *described(scene, (450.0, 600.0, 850.0))).warnings == []
    (doubt,) = fused(tmp_path, *described(scene, (450.0, 500.0, 550.0))).warnings
    assert doubt.startswith(
        "3 of 8 hyperspectral bands (771 to 900 nm) lie more than 200 nm beyond"
    )


def doubted(pair, guide=None, waves=((None,) * 20, (None,) * 4)):
    """The doubts of a pair in memory, its guide in place of another one."""
    guide = pair.guide if guide is None else guide
    seen = pair.look.down(guide)
    block = Block(pair.coarse, seen, torch.ones(seen.shape[1:], dtype=torch.bool))
    hs, ms = (SimpleNamespace(spectral=SimpleNamespace(wavelengths=w)) for w in waves)
    alignment = SimpleNamespace(hs=hs, ms=ms, rows=pair.axis, cols=pair.axis)
    return doubts(known_study(pair, guide), [block], alignment)


def known_study(pair, guide):
    return replace(pair, guide=guide).study()


def test_doubts_name_what_is_odd():
    pair = known(side=96, noise=5.0)
    assert doubted(pair) == []
    (other,) = doubted(pair, cube(4, 96, seed=7))
    assert "explains only" in other
    clouded = pair.guide.clone()
    clouded[:, 20:44, 30:54] += 4 * pair.guide.max()
    (cloud,) = doubted(pair, clouded)
    assert "cloud" in cloud
    (far,) = doubted(known(side=208, ratio=13.0, noise=5.0))
    assert far.startswith("The hyperspectral pixels are 13.0 guide pixels wide")
    waves = tuple(np.linspace(400, 2400, 20)), (480.0, 560.0, 660.0, 850.0)
    (beyond,) = doubted(pair, waves=waves)
    assert "13 of 20" in beyond and "2400 nm" in beyond
    assert doubted(pair, waves=(waves[0], (480.0, None, 660.0, 850.0))) == []
