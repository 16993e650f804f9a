"""Pairs: which part of two rasters is fused, and clear refusals of pairs that make none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine

from rasd_fusion.rasd_qgis.contract.errors import InputError

from .planes import BANDS, CORNER, GUIDE, UTM33, Pair, Talk, all_coarse, expected_coarse, scene


def test_partly_overlapping_footprints_give_their_intersection(make_raster):
    lie = GUIDE * Affine.translation(40, -20) * Affine.scale(4)
    hs = make_raster(scene(UTM33, lie, 30, 30, BANDS), transform=lie)
    ms = make_raster(scene(UTM33, GUIDE, 90, 80, 2))
    with Pair(hs, ms, Talk()) as pair:
        assert pair.fine.shape == (90, 40)
        assert ~GUIDE * (pair.fine.transform.c, pair.fine.transform.f) == pytest.approx((40, 0))
        # Rows 5…28 and columns 0…10 cover it; the margin of 4 ends where the image does.
        assert pair.coarse_shape == (30 - 1, 10 + 4)
        assert (pair.rows.offset, pair.cols.offset) == (-16.0, 0.0)


def test_an_extent_is_widened_to_whole_guide_pixels(make_raster):
    hs = make_raster(
        scene(UTM33, GUIDE * Affine.scale(5), 20, 20, BANDS), transform=GUIDE * Affine.scale(5)
    )
    ms = make_raster(scene(UTM33, GUIDE, 100, 100, 2))
    extent = (400203.0, 5799407.0, 400498.0, 5799790.0)
    with Pair(hs, ms, Talk(), extent) as pair:
        assert pair.fine.transform == GUIDE * Affine.translation(20, 21)
        assert pair.fine.shape == (39, 30)
        values, _ = all_coarse(pair)
        assert values == pytest.approx(expected_coarse(pair), abs=1e-3)
    whole = (400200.0 + 1e-5, 5799400.0 - 1e-5, 400500.0 - 1e-5, 5799790.0 + 1e-5)
    with Pair(hs, ms, Talk(), whole) as pair:
        assert pair.fine.shape == (39, 30)


def test_an_extent_on_a_turned_guide_takes_its_bounding_box(make_raster):
    guide = CORNER * Affine.rotation(45) * Affine.scale(10, -10)
    hs = make_raster(
        scene(UTM33, guide * Affine.scale(4), 30, 30, BANDS), transform=guide * Affine.scale(4)
    )
    ms = make_raster(scene(UTM33, guide, 120, 120, 2), transform=guide)
    x, y = guide * (60, 60)
    side = 20 * 10 / math.sqrt(2)
    with Pair(hs, ms, Talk(), (x - side, y - side, x + side, y + side)) as pair:
        assert pair.fine.shape in ((40, 40), (41, 41), (40, 41), (41, 40))
        values, _ = all_coarse(pair)
        assert values == pytest.approx(expected_coarse(pair), abs=1e-3)


@pytest.mark.parametrize("extent", [(0, 0, 1, 1), (401001, 5799000, 402000, 5799500)])
def test_an_extent_elsewhere_is_refused(make_raster, extent):
    lie = GUIDE * Affine.scale(5)
    hs = make_raster(scene(UTM33, lie, 20, 20, BANDS), transform=lie)
    ms = make_raster(scene(UTM33, GUIDE, 100, 100, 2))
    with pytest.raises(InputError, match="extent"), Pair(hs, ms, Talk(), extent):
        pass


def plain(make, count, size, scale, crs="EPSG:32633", shift=0.0, **more):
    lie = GUIDE * Affine.translation(shift, shift) * Affine.scale(scale)
    return make(np.ones((count, size, size), dtype="float32"), transform=lie, crs=crs, **more)


def test_the_same_raster_twice_is_refused(make_raster):
    path = plain(make_raster, 5, 20, 4)
    with pytest.raises(InputError, match="both the hyperspectral"), Pair(path, path, Talk()):
        pass


@pytest.mark.parametrize(
    ("hs", "ms", "sentence"),
    [
        ((1, 20, 4), (3, 80, 1), "single band"),
        ((3, 20, 4), (4, 80, 1), "swapped"),
        ((4, 20, 4), (4, 80, 1), "swapped"),
        ((5, 80, 1), (3, 20, 4), "finer than"),
        ((5, 80, 1), (3, 80, 1), "hardly coarser"),
        ((5, 80, 1.15), (3, 80, 1), "hardly coarser"),
        ((5, 20, 4, "EPSG:32633", 90), (3, 80, 1), "do not overlap"),
        ((5, 20, 4, "EPSG:32632"), (3, 80, 1), "do not overlap"),
        ((5, 20, 4, None, 75), (3, 80, 1), "no CRS"),
        ((5, 20, 4), (3, 80, 1, None, 75), "no CRS"),
    ],
)
def test_pairs_that_cannot_be_fused_are_refused(make_raster, hs, ms, sentence):
    paths = plain(make_raster, *hs), plain(make_raster, *ms)
    with pytest.raises(InputError, match=sentence) as caught, Pair(*paths, Talk()):
        pass
    assert caught.value.advice


def test_turned_footprints_whose_boxes_overlap_but_not_they(make_raster):
    lie = GUIDE * Affine.translation(105, 60) * Affine.rotation(45) * Affine.scale(4)
    hs = make_raster(np.ones((5, 20, 20), dtype="float32"), transform=lie)
    ms = plain(make_raster, 3, 80, 1)
    box = (~GUIDE * lie) * (0, 20)
    assert box[0] < 80
    with pytest.raises(InputError, match="do not overlap"), Pair(hs, ms, Talk()):
        pass


@pytest.mark.parametrize("bare", ["hs", "ms", "both"])
def test_a_missing_crs_is_assumed_where_the_bounds_agree(make_raster, bare):
    hs = plain(make_raster, 5, 20, 4, None if bare in ("hs", "both") else "EPSG:32633")
    ms = plain(make_raster, 3, 80, 1, None if bare in ("ms", "both") else "EPSG:32633")
    talk = Talk()
    with Pair(hs, ms, talk) as pair:
        assert "no CRS" in talk.warnings[0]
        assert pair.fine.crs == (None if bare == "both" else UTM33)
        assert pair.rows.ratio == 4.0


def test_a_crs_supplied_by_the_layer_needs_no_warning(make_raster):
    hs, ms = plain(make_raster, 5, 20, 4, None), plain(make_raster, 3, 80, 1)
    talk = Talk()
    with Pair(hs, ms, talk, hs_more={"crs_wkt": UTM33.to_wkt()}):
        assert talk.warnings == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_two_plain_images_are_taken_for_the_same_ground(make_raster):
    nowhere = {"transform": Affine.identity(), "crs": None}
    hs = make_raster(np.ones((5, 20, 24), dtype="uint8"), **nowhere)
    ms = make_raster(np.ones((3, 160, 192), dtype="uint8"), **nowhere)
    talk = Talk()
    with Pair(hs, ms, talk) as pair:
        assert (pair.rows.ratio, pair.cols.ratio, pair.rows.offset) == (8.0, 8.0, 0.0)
        assert "georeferenced" in talk.warnings[0]
    wide = make_raster(np.ones((3, 160, 400), dtype="uint8"), **nowhere)
    with pytest.raises(InputError, match="shapes differ"), Pair(hs, wide, Talk()):
        pass


@pytest.mark.parametrize("empty", ["hs", "ms"])
def test_nothing_valid_is_refused(make_raster, empty):
    hs = plain(make_raster, 5, 20, 4, nodata=1 if empty == "hs" else None)
    ms = plain(make_raster, 3, 80, 1, nodata=1 if empty == "ms" else None)
    sentence = "cube" if empty == "hs" else "guide"
    with pytest.raises(InputError, match=f"All pixels of {sentence}"), Pair(hs, ms, Talk()):
        pass


def test_a_window_outside_is_a_mistake(make_raster):
    with Pair(plain(make_raster, 5, 20, 4), plain(make_raster, 3, 80, 1), Talk()) as pair:
        for read, size in ((pair.read_fine, 80), (pair.read_coarse, 20)):
            for window in ((-1, 3, 0, 3), (0, size + 1, 0, 3), (3, 3, 0, 3)):
                with pytest.raises(ValueError, match="not inside"):
                    read(*window)
