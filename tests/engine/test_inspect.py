"""A pair looked at before it is fused: what it is, and how far the two are from each other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from affine import Affine

from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.contract.inspect_request import DescribeRequest, InspectRequest
from rasd_fusion.rasd_qgis.contract.request import RasterSource, from_json, to_json
from rasd_fusion.rasd_qgis.engine.describe import acquired, describe
from rasd_fusion.rasd_qgis.engine.inspect_pair import displacement, inspect
from rasd_fusion.rasd_qgis.engine.rasters.align import align
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA
from rasd_fusion.rasd_qgis.engine.shift import find_shift

from .scenes import FINE, UTM33, make_scene, write

RATIO = 4


def look(hs, ms, reporter, **settings):
    request = InspectRequest(RasterSource(str(hs)), RasterSource(str(ms)), **settings)
    return inspect(from_json(to_json(request)), reporter)


def fields(side, seed=0):
    """(8, side, side): patches of three materials, each shaded by itself."""
    random = np.random.default_rng(seed)
    points = random.uniform(0, side, (side * side // 60, 2))
    rows, cols = np.mgrid[0:side, 0:side]
    place = np.stack([rows, cols], -1)[..., None, :]
    nearest = ((place - points) ** 2).sum(-1).argmin(-1)
    shares = random.dirichlet(np.full(3, 0.4), len(points))[nearest]
    return 1000 * np.tensordot(random.uniform(0.2, 1, (8, 3)), shares, (1, 2))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, -2), (5, 3), (-10, 7)])
def test_a_planted_shift_is_measured(tmp_path, reporter, down, right):
    """Content moved by whole fine pixels before it is averaged to coarse ones; noise on top.

    A run that fuses such a pair says so where details would land beside their ground.
    """
    random = np.random.default_rng(2)
    ground = fields(176)
    seen = np.roll(ground, (down, right), (1, 2))[:, 16:-16, 16:-16]
    coarse = seen.reshape(8, 36, RATIO, 36, RATIO).mean((2, 4)) + random.normal(0, 5, (8, 36, 36))
    hs = write(tmp_path / "hs.tif", coarse.astype("float32"), FINE * Affine.scale(RATIO))
    guide = ground[:3, 16:-16, 16:-16] + random.normal(0, 5, (3, 144, 144))
    ms = write(tmp_path / "ms.tif", guide.astype("float32"))
    found = look(hs, ms, reporter)
    assert found["PAIR"]["shift"][:2] == pytest.approx([down, right], abs=0.25)
    assert found["PAIR"]["shift"][2] > 0.8
    with Raster(RasterSource(str(hs))) as coarse_side, Raster(RasterSource(str(ms))) as fine_side:
        told = displacement(align(coarse_side, fine_side, None, reporter), DEFAULT_SIGMA)
    assert ("guide pixels" in told) == (max(abs(down), abs(right)) > 1)


def test_nothing_is_made_of_images_without_anything_in_common(tmp_path, reporter):
    random = np.random.default_rng(0)
    scene = make_scene(tmp_path, 192, RATIO)
    noise = random.uniform(100, 200, scene.hs.shape).astype("float32")
    found = look(
        write(tmp_path / "noise.tif", noise, scene.hs_transform), scene.write_ms(), reporter
    )
    assert found["PAIR"]["explained"] < 0.2


def test_a_true_pair_explains_itself(tmp_path, reporter):
    scene = make_scene(tmp_path, 96, RATIO)
    pair = look(scene.write_hs(), scene.write_ms(), reporter)["PAIR"]
    assert pair["explained"] > 0.8
    assert pair["ratio"] == [RATIO, RATIO]
    assert pair["shared"] == pytest.approx([1.0, 1.0])
    assert pair["valid"] == 1.0
    assert not pair["resampled"]


def test_half_an_overlap_is_half(tmp_path, reporter):
    scene = make_scene(tmp_path, 96, RATIO)
    ms = write(tmp_path / "east.tif", scene.ms.astype("float32"), FINE * Affine.translation(48, 0))
    pair = look(scene.write_hs(), ms, reporter)["PAIR"]
    assert pair["shared"] == pytest.approx([0.5, 0.5])
    assert pair["fine"] == [96, 48]


def test_what_cannot_be_fused_is_refused_with_the_sentence_of_the_run(tmp_path, reporter):
    scene = make_scene(tmp_path, 48, RATIO)
    far = write(tmp_path / "far.tif", scene.ms.astype("float32"), FINE * Affine.translation(900, 0))
    found = look(scene.write_hs(), far, reporter)
    assert "do not overlap" in found["REFUSAL"]["message"]
    assert found["PAIR"] is None
    assert found["HYPERSPECTRAL"]["bands"] == 8


def test_a_missing_crs_is_noted(tmp_path, reporter):
    scene = make_scene(tmp_path, 48, RATIO)
    bare = write(tmp_path / "bare.tif", scene.hs.astype("float32"), scene.hs_transform, crs=None)
    found = look(bare, scene.write_ms(), reporter)
    assert found["HYPERSPECTRAL"]["crs"] is None
    assert any("no CRS" in note for note in found["NOTES"])


def test_an_unreadable_raster_is_an_error(tmp_path, reporter):
    with pytest.raises(InputError, match="cannot be opened"):
        look(tmp_path / "none.tif", tmp_path / "nor.tif", reporter)


def described(values, tmp_path, reporter, **options):
    path = write(tmp_path / "one.tif", values, **options)
    request = DescribeRequest((RasterSource(path, name="One"),))
    return describe(from_json(to_json(request)), reporter)["RASTERS"][0]


def test_a_raster_is_described(tmp_path, reporter):
    random = np.random.default_rng(1)
    ground = random.uniform(0.1, 0.4, (40, 40))
    cube = np.stack([ground * (1 + 0.01 * band) for band in range(24)]).astype("float32")
    cube[7] = random.uniform(0, 1, (40, 40))
    cube[9] = 0.5

    def describe_bands(dataset):
        waves = tuple(400.0 + 10 * band for band in range(24))
        good = tuple(band != 3 for band in range(24))
        write_spectral(dataset, SpectralInfo(("",) * 24, waves, (9.0,) * 24, good))
        dataset.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2021-06-30 10:30:00")

    found = described(cube, tmp_path, reporter, describe=describe_bands)
    assert (found["name"], found["bands"], found["rows"], found["dtype"]) == (
        "One",
        24,
        40,
        "float32",
    )
    assert (found["crs"], found["pixel"]) == (UTM33, [10.0, 10.0])
    assert found["wavelengths"][:2] == [400.0, 410.0]
    assert found["good"].count(False) == 1
    assert found["date"] == "2021-06-30"
    assert found["noisy"] == [8, 10]
    assert 0.1 < found["middle"] < 0.5


def test_borders_of_zeros_are_seen_where_no_nodata_says_so(tmp_path, reporter):
    values = np.ones((3, 20, 20), dtype="uint16")
    values[:, :5] = 0
    assert described(values, tmp_path, reporter)["zero"] == pytest.approx(0.25)
    found = described(values, tmp_path, reporter, nodata=0)
    assert (found["zero"], found["invalid"]) == pytest.approx((0.0, 0.25))


def test_nan_as_nodata_travels_as_json(tmp_path, reporter):
    values = np.full((3, 16, 16), 5.0, "float32")
    values[:, :4] = np.nan
    found = described(values, tmp_path, reporter, nodata=np.nan)
    assert found["invalid"] == pytest.approx(0.25)
    assert json.loads(json.dumps(found, allow_nan=False))["nodata"] == "nan"


@pytest.mark.parametrize(
    ("tags", "day"),
    [
        ({"acquisition time": "2019-08-01T10:00:00Z"}, "2019-08-01"),
        ({"acquisition_date": "20200229"}, "2020-02-29"),
        ({"tifftag_datetime": "2024:01:01 00:00:00"}, None),
        ({"acquisition_date": "2020-13-45"}, None),
        ({}, None),
    ],
)
def test_the_day_is_read_from_tags(tags, day):
    assert acquired(tags) == day


def test_no_shift_is_found_in_what_is_too_small_or_flat():
    assert find_shift(np.ones((1, 4, 4)), np.ones((1, 4, 4)), np.ones((4, 4), bool)) is None
    assert find_shift(np.ones((1, 32, 32)), np.ones((1, 32, 32)), np.ones((32, 32), bool)) is None
