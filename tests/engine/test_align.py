"""Alignment: every pixel on its ground, whatever the two grids are."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .planes import (
    BANDS,
    CORNER,
    GUIDE,
    UTM32,
    UTM33,
    WGS84,
    Pair,
    Talk,
    all_coarse,
    all_fine,
    expected_coarse,
    inner,
    scene,
    turned,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    angle=st.sampled_from([0, 0, 30, -71, 180]),
    ratios=st.tuples(st.floats(1.3, 8), st.floats(1.3, 8)),
    shift=st.tuples(st.floats(-14, 40), st.floats(-14, 40)),
    order=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    south_up=st.booleans(),
)
def test_parallel_grids_share_their_ground_untouched(
    make_raster, angle, ratios, shift, order, south_up
):
    guide = CORNER * Affine.rotation(angle) * Affine.scale(10, 10 if south_up else -10)
    down, across = ratios
    base = guide * Affine.translation(shift[1], shift[0]) * Affine.scale(across, down)
    hs = turned(make_raster, base, 14, 12, *order)
    ms = make_raster(scene(UTM33, guide, 60, 50, 2), transform=guide)
    talk = Talk()
    with Pair(hs, ms, talk) as pair:
        assert not pair.resampled
        assert talk.logs == []
        assert (pair.rows.ratio, pair.cols.ratio) == pytest.approx((down, across), abs=0.01)
        values, valid = all_coarse(pair)
        assert valid.all()
        # A rounded geotransform may move a pixel by some hundredths of the guide's 10 m.
        assert values == pytest.approx(expected_coarse(pair), abs=3e-3)
        fine, seen = all_fine(pair)
        assert seen.all()
        expected = scene(UTM33, pair.fine.transform, *pair.fine.shape, 2)
        assert fine == pytest.approx(expected, abs=1e-4)
        centres_are_covered(pair)


def centres_are_covered(pair):
    """Each fine pixel's centre lies within the coarse image, and the guide has no more such."""
    for axis, size, coarse in zip((pair.rows, pair.cols), pair.fine.shape, pair.coarse_shape):
        assert axis.to_coarse(0.5) >= -0.01
        assert axis.to_coarse(size - 0.5) <= coarse + 0.01


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    guide_angle=st.sampled_from([0, 20, -71]),
    turn=st.sampled_from([3, 30, 45, 100, -60]),
    ratio=st.floats(1.4, 6),
    shift=st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
)
def test_a_turned_grid_is_resampled_to_the_right_place(
    make_raster, guide_angle, turn, ratio, shift
):
    guide = CORNER * Affine.rotation(guide_angle) * Affine.scale(10, -10)
    middle = guide * Affine.translation(30 + shift[1], 30 + shift[0]) * Affine.rotation(turn)
    base = middle * Affine.scale(ratio) * Affine.translation(-15, -14)
    hs = make_raster(scene(UTM33, base, 28, 30, BANDS), transform=base)
    ms = make_raster(scene(UTM33, guide, 60, 60, 2), transform=guide)
    talk = Talk()
    with Pair(hs, ms, talk) as pair:
        assert pair.resampled
        assert "resampled" in talk.logs[0]
        assert pair.rows.ratio == pytest.approx(ratio, rel=0.021)
        values, valid = all_coarse(pair)
        kept = inner(valid)
        assert kept.any()
        # A plane is what a cubic kernel keeps; 0.2 m is a fiftieth of a guide pixel.
        assert values[:, kept] == pytest.approx(expected_coarse(pair)[:, kept], abs=6e-4)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM32, Affine.translation(808400, 5809000) * Affine.scale(33, -31)),
        (WGS84, Affine.translation(13.51, 52.342) * Affine.scale(0.0005, -0.0003)),
        (
            WGS84,
            Affine.translation(13.53, 52.335) * Affine.rotation(25) * Affine.scale(0.0004, -0.0003),
        ),
    ],
)
def test_another_crs_is_resampled_to_the_right_place(make_raster, crs, transform):
    hs = make_raster(scene(crs, transform, 60, 60, BANDS), transform=transform, crs=crs)
    ms = make_raster(scene(UTM33, GUIDE, 120, 130, 2))
    talk = Talk()
    with Pair(hs, ms, talk) as pair:
        assert pair.resampled
        assert "another CRS" in talk.logs[0]
        values, valid = all_coarse(pair)
        kept = inner(valid)
        assert kept.sum() > 50
        expected = expected_coarse(pair)[:, kept]
        assert values[:, kept] == pytest.approx(expected, abs=1e-3)
        assert fitted_shift(values[:, kept], expected) < 0.02


def test_a_wide_scene_in_degrees_is_warped_exactly(make_raster):
    """Over 90 km a projection bends: GDAL's usual interpolation of positions would show."""
    degrees = Affine.translation(13.3, 52.4) * Affine.scale(0.02, -0.012)
    guide = CORNER * Affine.scale(300, -300)
    hs = make_raster(scene(WGS84, degrees, 90, 90, BANDS), transform=degrees, crs=WGS84)
    ms = make_raster(scene(UTM33, guide, 300, 300, 2), transform=guide)
    with Pair(hs, ms, Talk()) as pair:
        values, valid = all_coarse(pair)
        kept = inner(valid)
        assert kept.sum() > 1000
        error = np.abs(values[:2, kept] - expected_coarse(pair)[:2, kept]).max()
        assert error * 1000 / 300 < 0.02


def fitted_shift(values, expected):
    """Mean displacement in guide pixels (10 m), from the planes of easting and northing."""
    return float(np.abs((values[:2] - expected[:2]).mean(axis=1)).max()) * 1000 / 10


def test_a_window_of_a_warped_image_is_a_part_of_the_whole(make_raster, monkeypatch):
    noise = np.random.default_rng(3).normal(1000, 200, (BANDS, 60, 60)).astype("float32")
    noise[:, 20:24, 30:35] = np.nan
    turned_grid = GUIDE * Affine.translation(60, -20) * Affine.rotation(33) * Affine.scale(3.3, 2.1)
    hs = make_raster(noise, transform=turned_grid)
    ms = make_raster(np.ones((2, 140, 140), dtype="uint8"))
    monkeypatch.setattr("rasd_fusion.rasd_qgis.engine.rasters.align.KEPT_BYTES", 0)
    with Pair(hs, ms, Talk()) as pair:
        values, valid = all_coarse(pair)
        height, width = pair.coarse_shape
        assert (~valid).any()
        single = [(r, r + 1, c, c + 1) for r in range(0, height, 5) for c in range(0, width, 7)]
        for row0, row1, col0, col1 in ((0, 9, 0, width), (7, height, 5, 20), *single):
            part, seen = pair.read_coarse(row0, row1, col0, col1)
            assert np.array_equal(seen, valid[row0:row1, col0:col1])
            assert part == pytest.approx(values[:, row0:row1, col0:col1], rel=1e-5)


def test_what_is_kept_is_what_is_read(make_raster, monkeypatch):
    noise = np.random.default_rng(4).normal(size=(BANDS, 20, 20)).astype("float32")
    lie = GUIDE * Affine.scale(3) * Affine(-1, 0, 20, 0, 1, 0)
    hs, ms = make_raster(noise, transform=lie), make_raster(np.ones((2, 60, 60), dtype="uint8"))
    parts = []
    for size in (0, 2**20):
        monkeypatch.setattr("rasd_fusion.rasd_qgis.engine.rasters.align.KEPT_BYTES", size)
        with Pair(hs, ms, Talk()) as pair:
            first, _ = pair.read_coarse(3, 9, 2, 20)
            first[:] = 0
            parts.append(pair.read_coarse(3, 9, 2, 20)[0])
    assert np.array_equal(parts[0], noise[:, 3:9, ::-1][:, :, 2:20])
    assert np.array_equal(*parts)


def test_nodata_lends_nothing_to_its_neighbours_when_warped(make_raster):
    values = np.full((BANDS, 40, 40), 100.0, dtype="float32")
    values[:, 15:20, 15:20] = -9999
    lie = GUIDE * Affine.translation(10, -30) * Affine.rotation(30) * Affine.scale(3)
    hs = make_raster(values, transform=lie, nodata=-9999)
    ms = make_raster(np.ones((2, 100, 100), dtype="uint8"))
    with Pair(hs, ms, Talk()) as pair:
        warped, valid = all_coarse(pair)
        assert warped[:, valid] == pytest.approx(100, abs=1e-3)
        col, row = ~pair.fine.transform * (lie * (17.5, 17.5))
        i, j = int(pair.rows.to_coarse(row)), int(pair.cols.to_coarse(col))
        assert not valid[i, j]
        # 25 pixels are missing; turned, the hole keeps its area to about its rim.
        around = valid[i - 6 : i + 7, j - 6 : j + 7]
        assert 15 <= (~around).sum() <= 35


def test_a_thin_gap_stays_a_gap_when_warped(make_raster):
    values = np.full((BANDS, 40, 40), 100.0, dtype="float32")
    values[:, 20, 5:35] = np.nan
    lie = GUIDE * Affine.translation(10, -30) * Affine.rotation(30) * Affine.scale(3)
    hs = make_raster(values, transform=lie)
    ms = make_raster(np.ones((2, 100, 100), dtype="uint8"))
    with Pair(hs, ms, Talk()) as pair:
        _, valid = all_coarse(pair)
        gaps = 0
        for place in np.linspace(8, 32, 25):
            col, row = ~pair.fine.transform * (lie * (place, 20.5))
            gaps += not valid[int(pair.rows.to_coarse(row)), int(pair.cols.to_coarse(col))]
        assert gaps >= 20


def test_a_much_longer_pixel_is_averaged_over_its_area(make_raster):
    """Pixels of 1 × 4 turned by 45° come to lie on squarer ones; a fine stripe must not alias."""
    stripes = np.tile(np.array([0.0, 100.0]), 200)[None, None, :].repeat(60, axis=1)
    values = stripes.repeat(BANDS, axis=0).astype("float32")
    lie = GUIDE * Affine.rotation(45) * Affine.scale(2, 8) * Affine.translation(-100, -20)
    hs = make_raster(values, transform=lie)
    ms = make_raster(np.ones((2, 150, 150), dtype="uint8"))
    with Pair(hs, ms, Talk()) as pair:
        warped, valid = all_coarse(pair)
        kept = inner(valid)
        assert kept.sum() > 20
        assert np.abs(warped[0][kept] - 50).mean() < 10


def test_a_pixel_whose_ground_is_mostly_missing_is_invalid(make_raster):
    """Of six columns one is measured: no pixel of the warped image, three columns wide, may be."""
    values = np.full((BANDS, 60, 402), np.nan, dtype="float32")
    values[:, :, ::6] = 100
    values[:, :, 120:] = 100
    lie = GUIDE * Affine.rotation(45) * Affine.scale(2, 8) * Affine.translation(-100, -20)
    hs = make_raster(values, transform=lie)
    ms = make_raster(np.ones((2, 150, 150), dtype="uint8"))
    with Pair(hs, ms, Talk()) as pair:
        _, valid = all_coarse(pair)
        for i, j in np.argwhere(valid):
            place = pair.cols.to_fine(j + 0.5), pair.rows.to_fine(i + 0.5)
            col, _ = ~lie * (pair.fine.transform * place)
            assert col > 117
        assert valid.sum() > 20


def test_a_real_pair_lies_pixel_on_pixel(shared_data):
    folder = shared_data / "pair_neon_mlbs"
    talk = Talk()
    with Pair(str(folder / "HSI/MLBS_10.tif"), str(folder / "RGB/MLBS_10.tif"), talk) as pair:
        assert (pair.rows.ratio, pair.cols.ratio) == (10.0, 10.0)
        assert (pair.rows.offset, pair.cols.offset) == (0.0, 0.0)
        assert pair.fine.shape == (200, 200)
        assert all_coarse(pair)[0].shape == (369, 20, 20)
        assert not pair.resampled


def test_a_real_pair_without_a_crs_on_one_side(shared_data):
    folder = shared_data / "pair_neon_sjer052_nis_rgb"
    hs, ms = folder / "SJER_052_hyperspectral.tif", folder / "SJER_052.tif"
    talk = Talk()
    with Pair(str(hs), str(ms), talk) as pair:
        assert "no CRS" in talk.warnings[0]
        assert (pair.rows.ratio, pair.rows.offset, pair.cols.offset) == (10.0, 0.0, 0.0)
        assert pair.fine.crs.to_epsg() == 32611


def test_a_real_turned_scene_and_a_guide_turned_with_it(make_raster, shared_data):
    path = shared_data / "aviris_mastercal_ca_georef" / "AV_mastercal_testdata.bsq"
    with rasterio.open(path) as dataset:
        crs, lie, pixels = dataset.crs, dataset.transform, dataset.read()
    guide = lie * Affine.scale(1 / 3)
    alike = make_raster(np.ones((3, 150, 150), dtype="uint8"), transform=guide, crs=crs)
    with Pair(str(path), alike, Talk()) as pair:
        assert not pair.resampled
        assert np.array_equal(all_coarse(pair)[0], pixels)
    x, y = lie * (25, 25)
    upright = Affine(5, 0, x - 300, 0, -5, y + 300)
    north_up = make_raster(np.ones((3, 120, 120), dtype="uint8"), transform=upright, crs=crs)
    with Pair(str(path), north_up, Talk()) as pair:
        assert pair.resampled
        assert pair.rows.ratio == pytest.approx(3.0, abs=0.07)
        values, valid = all_coarse(pair)
        kept = inner(valid)
        assert kept.sum() > 100
        assert values[100][kept].mean() == pytest.approx(pixels[100].mean(), rel=0.2)
