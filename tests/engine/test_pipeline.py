"""The pipeline from files to files: values, masks, sizes, tiles, the dial, and repeatability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rasd_fusion.rasd_qgis.contract.errors import InputError, ModelFileError, OutputError
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral

from .scenes import BANDS, FINE, GUIDE_BANDS, awaken, centres, make_scene, run

SIDE = 48


def with_hole(values, rows, cols, junk):
    spoilt = values.astype("float32")
    spoilt[:, rows, cols] = junk
    return spoilt


def covered(rows, cols, ratio=4):
    """The fine pixels (SIDE, SIDE) under a window of coarse ones."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows.start * ratio : rows.stop * ratio, cols.start * ratio : cols.stop * ratio] = True
    return mask


def spectral(good=None):
    waves = tuple(450.0 + 60 * band for band in range(BANDS))
    names = tuple(f"band of {wave:g}" for wave in waves)
    return SpectralInfo(names, waves, (10.0,) * BANDS, good or (True,) * BANDS)


def test_the_fused_image_is_nearer_the_ground_than_interpolation(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    result = run(tmp_path, scene.write_hs(), scene.write_ms())
    truth = scene.ground.at(*centres(FINE, SIDE, SIDE))
    blocky = scene.hs.repeat(4, 1).repeat(4, 2)
    assert np.square(result.bands - truth).mean() < 0.02 * np.square(blocky - truth).mean()


def test_phases_come_in_order_and_fractions_rise(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    result = run(tmp_path, scene.write_hs(), scene.write_ms())
    assert list(dict.fromkeys(result.phases)) == [
        "reading",
        "surveying",
        "training",
        "fusing",
        "writing",
    ]


def test_nodata_of_either_input_is_nodata_of_the_result(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    hole = slice(3, 5), slice(6, 9)
    hs = scene.write_hs(with_hole(scene.hs, *hole, -1), nodata=-1)
    ms = scene.ms.astype("float32")
    ms[1, 30:33, 2:7] = np.nan
    confidence = str(tmp_path / "confidence.tif")
    result = run(tmp_path, hs, scene.write_ms(ms), confidence=confidence)
    expected = ~covered(*hole)
    expected[30:33, 2:7] = False
    assert (result.valid == expected).all()
    assert result.profile["nodata"] == -1
    assert (result.bands[:, ~expected] == -1).all()
    with rasterio.open(confidence) as dataset:
        assert ((dataset.read_masks() > 0) == expected).all()
        assert np.isfinite(dataset.read()[:, expected]).all()


@pytest.mark.parametrize("junk", [0.0, 1e30, np.nan, np.inf, -32768.0])
def test_junk_in_nodata_pixels_changes_no_valid_pixel(tmp_path, junk):
    scene = make_scene(tmp_path, SIDE)
    hole = slice(3, 5), slice(6, 9)
    results = []
    for value in (-1.0, junk):
        bottom = () if np.isnan(value) or np.isinf(value) else ((value, value),)
        hs = RasterSource(
            scene.write_hs(with_hole(scene.hs, *hole, value)), nodata_ranges=(bottom,) * BANDS
        )
        ms = np.concatenate([scene.ms, np.full((1, SIDE, SIDE), 255.0)]).astype("float32")
        ms[:GUIDE_BANDS, 20:24, 20:24] = value
        ms[GUIDE_BANDS, 20:24, 20:24] = 0

        def alpha(dataset):
            dataset.colorinterp = [*dataset.colorinterp[:3], rasterio.enums.ColorInterp.alpha]

        results.append(run(tmp_path, hs, scene.write_ms(ms, describe=alpha)))
    clean, spoilt = results
    expected = ~covered(*hole)
    expected[20:24, 20:24] = False
    assert (clean.valid == expected).all() and (spoilt.valid == expected).all()
    np.testing.assert_array_equal(clean.bands[:, expected], spoilt.bands[:, expected])


def test_a_hole_does_not_spoil_the_pixels_beside_it(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    hole = slice(4, 6), slice(4, 6)
    hs = scene.write_hs(with_hole(scene.hs, *hole, np.nan))
    result = run(tmp_path, hs, scene.write_ms())
    truth = scene.ground.at(*centres(FINE, SIDE, SIDE))
    near = covered(slice(3, 7), slice(3, 7)) & ~covered(*hole)
    miss = np.abs(result.bands - truth)[:, near]
    assert miss.max() < 0.5 * (truth.max() - truth.min())
    assert miss.mean() < 0.1 * (truth.max() - truth.min())


def test_dead_and_bad_bands_come_through_as_bands(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    hs = scene.hs.astype("float32")
    hs[2] = np.nan
    hs[6] = np.random.default_rng(0).uniform(-5e4, 5e4, hs[6].shape)
    info = spectral(tuple(band != 6 for band in range(BANDS)))
    path = scene.write_hs(hs, describe=lambda dataset: write_spectral(dataset, info))
    result = run(tmp_path, path, scene.write_ms())
    clean = run(tmp_path, scene.write_hs(), scene.write_ms(), output=str(tmp_path / "clean.tif"))
    assert any("hold no data" in text for text in result.warnings)
    assert not result.valid[2].any()
    assert result.valid[[0, 1, 3, 4, 5, 6, 7]].all()
    means = result.bands[6].reshape(12, 4, 12, 4).mean((1, 3))
    assert np.corrcoef(means.ravel(), hs[6].ravel())[0, 1] > 0.9
    good = [0, 1, 3, 4, 5, 7]
    spread = scene.hs[good].std()
    assert np.abs(result.bands - clean.bands)[good].mean() < 0.05 * spread
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        assert "450" in dataset.descriptions[0]
        assert [dataset.tags(band)["bbl"] for band in (6, 7)] == ["1", "0"]


def test_a_dead_band_leaves_maps_alone_that_are_as_many_as_the_bands(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    hs = scene.hs[:5].astype("float32")
    hs[2] = np.nan
    asked = {"model": "bundled", "confidence": str(tmp_path / "confidence.tif")}
    result = run(tmp_path, scene.write_hs(hs), scene.write_ms(), **asked)
    assert result.valid.any((1, 2)).tolist() == [True, True, False, True, True]
    with rasterio.open(asked["confidence"]) as dataset:
        assert dataset.count == len(hs)
        assert np.isfinite(dataset.read()).all()


@pytest.mark.parametrize(
    ("dtype", "nodata", "scale", "offset"),
    [("uint16", 65535, 1e-4, 0.0), ("int16", -9999, 1e-4, -0.1), ("float32", None, 1.0, 0.0)],
)
def test_dtype_nodata_scale_and_offset_carry_over(tmp_path, dtype, nodata, scale, offset):
    scene = make_scene(tmp_path, SIDE)

    def describe(dataset):
        dataset.scales, dataset.offsets = (scale,) * BANDS, (offset,) * BANDS

    hs = scene.write_hs(scene.hs.round().astype(dtype), nodata=nodata, describe=describe)
    result = run(tmp_path, hs, scene.write_ms((8 * scene.ms).astype("uint16")))
    assert (result.profile["dtype"], result.profile["nodata"]) == (dtype, nodata)
    assert result.profile["scales"] == (scale,) * BANDS
    assert result.profile["offsets"] == (offset,) * BANDS
    truth = scene.ground.at(*centres(FINE, SIDE, SIDE))
    assert np.sqrt(np.square(result.bands - truth).mean()) < 0.05 * (truth.max() - truth.min())


def test_units_of_the_inputs_do_not_matter(tmp_path):
    """Reflectance of 0…1 and of 0…10000 give one image, whatever the guide's unit is."""
    scene = make_scene(tmp_path, SIDE)
    plain = run(tmp_path, scene.write_hs(), scene.write_ms())
    hs, ms = (scene.hs * 1e-4).astype("float32"), (scene.ms * 7 + 300).astype("float32")
    scaled = run(tmp_path, scene.write_hs(hs), scene.write_ms(ms))
    np.testing.assert_allclose(scaled.bands * 1e4, plain.bands, rtol=0, atol=0.5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model file whose network has a say, and the scene it is of."""
    folder = tmp_path_factory.mktemp("model")
    scene = make_scene(folder, SIDE)
    path = str(folder / "model.safetensors")
    run(folder, scene.write_hs(), scene.write_ms(), model_output=path)
    return awaken(path), scene


def from_file(folder, model, **settings):
    path, scene = model
    output = str(Path(folder) / "fused.tif")
    usual = {"model": "file", "model_file": path, "output": output}
    return run(folder, scene.write_hs(), scene.write_ms(), **{**usual, **settings})


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_confidence_lies_in_0_to_1_and_shows_the_discriminator_at_any_ratio(tmp_path, model, ratio):
    path = str(tmp_path / "confidence.tif")
    result = from_file(tmp_path, model, routing_ratio=ratio, confidence=path)
    with rasterio.open(path) as dataset:
        maps, names = dataset.read(), dataset.descriptions
        assert dataset.profile["dtype"] == "float32"
    assert maps.shape == (11, SIDE, SIDE)
    assert names[0] == "confidence, mean of all stages"
    assert names[1:3] == ("stage 1, full scale", "stage 1, 1/8 scale")
    assert maps.min() >= 0 and maps.max() <= 1
    assert all(band.std() > 1e-4 for band in maps)
    np.testing.assert_allclose(maps[0], maps[1:].mean(0), atol=1e-6)
    assert result.values["ROUTING_RATIO"] == ratio
    assert result.values["LOW_RANK_SHARE"] == pytest.approx(ratio, abs=0.03)


def test_the_dial_changes_the_pixels(tmp_path, model):
    images = [from_file(tmp_path, model, routing_ratio=ratio).bands for ratio in (0.0, 0.5, 1.0)]
    assert np.abs(images[0] - images[1]).max() > 0.01
    assert np.abs(images[1] - images[2]).max() > 0.01


def test_a_stored_model_gives_the_same_pixels_again(tmp_path, model):
    first = from_file(tmp_path, model)
    again = str(tmp_path / "again.safetensors")
    second = from_file(tmp_path, model, model_output=again)
    third = from_file(tmp_path, (again, model[1]))
    np.testing.assert_array_equal(first.bands, second.bands)
    np.testing.assert_array_equal(first.bands, third.bands)
    assert first.values["MODEL_HASH"] == third.values["MODEL_HASH"]


def test_same_seed_and_steps_give_the_same_pixels_and_another_seed_another_model(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    paths = scene.write_hs(), scene.write_ms()
    first, second = (run(tmp_path, *paths, seed=5, training_steps=3) for _ in range(2))
    other = run(tmp_path, *paths, seed=6, training_steps=3)
    np.testing.assert_array_equal(first.bands, second.bands)
    assert first.values["MODEL_HASH"] == second.values["MODEL_HASH"] != other.values["MODEL_HASH"]
    assert first.values["TRAINING_STEPS"] == 3


@pytest.mark.parametrize(("bands", "ratio", "word"), [(7, 4.0, "7"), (BANDS, 3.0, "3 × 3")])
def test_a_model_refuses_a_pair_it_does_not_fit(tmp_path, model, bands, ratio, word):
    scene = make_scene(tmp_path, SIDE, ratio)
    hs = scene.write_hs(scene.hs[:bands].astype("float32"))
    with pytest.raises(ModelFileError, match=word):
        run(tmp_path, hs, scene.write_ms(), model="file", model_file=model[0])
    assert not (tmp_path / "fused.tif").exists()


@pytest.mark.parametrize("side", ["hs", "ms"])
def test_a_model_refuses_values_of_another_scale(tmp_path, model, side):
    scene = make_scene(tmp_path, SIDE)
    setattr(scene, side, getattr(scene, side) * 1e-4)
    with pytest.raises(ModelFileError, match=f"{side}.tif are of another scale"):
        run(tmp_path, scene.write_hs(), scene.write_ms(), model="file", model_file=model[0])


def test_junk_that_no_mask_tells_of_stays_where_it_is(tmp_path, model):
    """Pixels of 65535 that the file does not call nodata: the others are as they were."""
    scene = make_scene(tmp_path, SIDE)
    ms = scene.ms.astype("float32")
    ms[:, 40:44, 40:44] = 65535
    settings = {"model": "file", "model_file": model[0]}
    clean = run(tmp_path, scene.write_hs(), scene.write_ms(), **settings)
    spoilt = run(tmp_path, scene.write_hs(), scene.write_ms(ms), **settings)
    assert spoilt.valid.all()
    assert np.isfinite(spoilt.bands).all()
    miss = np.abs(spoilt.bands - clean.bands)[:, :24, :24]
    assert miss.max() < 0.1 * clean.bands.std()


def test_a_guide_band_without_contrast_does_no_harm(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    plain = run(tmp_path, scene.write_hs(), scene.write_ms())
    flat = np.concatenate([scene.ms, np.full((1, SIDE, SIDE), 9999.7)]).astype("float32")
    result = run(tmp_path, scene.write_hs(), scene.write_ms(flat))
    np.testing.assert_allclose(result.bands, plain.bands, atol=1.0)


@pytest.mark.parametrize("side", [8, 12, 17])
def test_scenes_smaller_than_the_network_takes(tmp_path, side):
    scene = make_scene(tmp_path, side, 4.0)
    confidence = str(tmp_path / "confidence.tif")
    result = run(tmp_path, scene.write_hs(), scene.write_ms(), confidence=confidence)
    assert result.bands.shape == (BANDS, side, side)
    assert result.valid.all()
    assert any("too few to train on" in text for text in result.warnings)
    assert result.values["TRAINING_STEPS"] == 0
    assert result.values["CONSISTENCY_HS"] < 0.1


def test_a_scene_of_one_hyperspectral_pixel(tmp_path):
    scene = make_scene(tmp_path, 4, 4.0)
    result = run(tmp_path, scene.write_hs(), scene.write_ms())
    np.testing.assert_allclose(
        result.bands.mean((1, 2)), scene.hs[:, 0, 0], atol=0.1 * scene.hs.max()
    )


def test_a_narrow_extent_across_few_hyperspectral_pixels(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    west, north = FINE * (9, 5)
    east, south = FINE * (11, 40)
    paths = scene.write_hs(), scene.write_ms()
    result = run(tmp_path, *paths, extent=(west, south, east, north))
    assert result.bands.shape == (BANDS, 35, 2)
    assert result.valid.all()
    assert np.isfinite(result.bands).all()


def test_consistency_is_what_the_outputs_show(tmp_path, model):
    scene = model[1]
    result = from_file(tmp_path, model)
    means = result.bands.reshape(BANDS, 12, 4, 12, 4).mean((2, 4))
    span = scene.hs.max() - scene.hs.min()
    assert 0 < result.values["CONSISTENCY_HS"] < 0.02
    assert np.sqrt(np.square(means - scene.hs).mean()) / span < 0.06
    assert 0 < result.values["CONSISTENCY_MS"] < 0.1


def test_natural_colour_by_wavelength_is_reported(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    path = scene.write_hs(describe=lambda dataset: write_spectral(dataset, spectral()))
    assert run(tmp_path, path, scene.write_ms()).values["RGB"] == [4, 3, 1]
    assert run(tmp_path, scene.write_hs(), scene.write_ms()).values["RGB"] is None


def test_a_pair_without_one_pixel_valid_in_both_is_refused(tmp_path):
    scene = make_scene(tmp_path, SIDE)
    hs = with_hole(scene.hs, slice(0, 12), slice(0, 6), np.nan)
    ms = scene.ms.astype("float32")
    ms[:, :, 24:] = np.nan
    with pytest.raises(InputError, match="valid in both"):
        run(tmp_path, scene.write_hs(hs), scene.write_ms(ms))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hs.tif", "ms.tif"]


def test_a_run_that_fails_at_its_end_leaves_nothing(tmp_path, monkeypatch):
    """The confidence maps are whole when the fused raster cannot be finished: neither appears."""
    from rasd_fusion.rasd_qgis.engine.rasters import write

    real = write._read_back

    def full_disk(path):
        if "fused" in path.name:
            raise OSError(28, "No space left on device")
        real(path)

    monkeypatch.setattr(write, "_read_back", full_disk)
    scene = make_scene(tmp_path, SIDE)
    outputs = {"confidence": tmp_path / "conf.tif", "model_output": tmp_path / "m.safetensors"}
    with pytest.raises(OutputError, match="No space left"):
        run(
            tmp_path,
            scene.write_hs(),
            scene.write_ms(),
            **{name: str(path) for name, path in outputs.items()},
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hs.tif", "ms.tif"]
