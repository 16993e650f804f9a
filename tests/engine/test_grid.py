"""Grids and axes: where pixels are, for any turn, flip, ratio and phase."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import assume, given
from hypothesis import strategies as st
from rasterio.crs import CRS

from rasd_fusion.rasd_qgis.engine.rasters.grid import (
    PARALLEL_TOLERANCE,
    ROUNDING,
    Axis,
    Grid,
    clip_polygon,
    map_pixels,
    parallel,
    same_ground,
)

UTM33, UTM32 = CRS.from_epsg(32633), CRS.from_epsg(32632)
ratios = st.floats(1.2, 12)
offsets = st.floats(-50, 50)
angles = st.floats(-180, 180)


def guide(angle, crs=UTM33):
    turn = Affine.translation(400000, 5800000) * Affine.rotation(angle) * Affine.scale(10, -10)
    return Grid(crs, turn, 200, 240)


@given(angles, ratios, ratios, offsets, offsets, st.booleans(), st.booleans(), st.booleans())
def test_parallel_grids_keep_every_pixel_where_it_is(
    angle, down, across, row, col, flip_rows, flip_cols, transpose
):
    fine = guide(angle)
    height, width = 30, 40
    lie = Affine.translation(col, row) * Affine.scale(across, down)
    if transpose:
        lie = lie * Affine(0, 1, 0, 1, 0, 0)
    if flip_rows:
        lie = lie * Affine(1, 0, 0, 0, -1, height)
    if flip_cols:
        lie = lie * Affine(-1, 0, width, 0, 1, 0)
    coarse = Grid(fine.crs, fine.transform * lie, height, width)

    found = parallel(coarse, fine)

    assert found is not None
    numbers = np.arange(height * width).reshape(height, width)
    turned = numbers.T if found.transpose else numbers
    turned = turned[::-1] if found.flip_rows else turned
    turned = turned[:, ::-1] if found.flip_cols else turned
    for i, j in ((0, 0), (3, 7), (turned.shape[0] - 1, turned.shape[1] - 1)):
        r, c = divmod(int(turned[i, j]), width)
        true_col, true_row = ~fine.transform * (coarse.transform * (c + 0.5, r + 0.5))
        assert found.cols.to_fine(j + 0.5) == pytest.approx(true_col, abs=3 * ROUNDING)
        assert found.rows.to_fine(i + 0.5) == pytest.approx(true_row, abs=3 * ROUNDING)
    assert found.rows.ratio == pytest.approx(down, abs=ROUNDING)
    assert found.cols.ratio == pytest.approx(across, abs=ROUNDING)


@given(angles, st.floats(0.5, 44.5), st.booleans())
def test_a_turn_against_the_guide_is_not_parallel(angle, turn, left):
    fine = guide(angle)
    lie = Affine.rotation(-turn if left else turn) * Affine.scale(3)
    assert parallel(Grid(fine.crs, fine.transform * lie, 30, 40), fine) is None


@given(st.floats(-0.9, 0.9), ratios, offsets)
def test_a_tilt_too_small_to_matter_is_halved_by_fitting_the_middle(share, ratio, offset):
    fine, height, width = guide(0), 300, 300
    tilt = share * PARALLEL_TOLERANCE / width
    lie = Affine(ratio, tilt, offset, -tilt, ratio, offset)
    found = parallel(Grid(fine.crs, fine.transform * lie, height, width), fine)
    for row, col in ((0, 0), (0, width), (height, 0), (height, width)):
        true_col, true_row = lie * (col, row)
        worst = PARALLEL_TOLERANCE / 2 + 2 * ROUNDING
        assert abs(found.cols.to_fine(col) - true_col) < worst
        assert abs(found.rows.to_fine(row) - true_row) < worst


def test_a_shear_against_the_guide_is_not_parallel():
    fine = guide(0)
    lie = Affine.shear(2, 0) * Affine.scale(3)
    assert parallel(Grid(fine.crs, fine.transform * lie, 30, 40), fine) is None


@given(ratios, offsets, st.integers(0, 50), st.integers(0, 50), st.floats(0, 50))
def test_a_local_axis_sees_the_same_ground(ratio, offset, fine_start, coarse_start, place):
    axis = Axis(ratio, offset)
    local = axis.local(fine_start, coarse_start)
    assert local.to_fine(place) + fine_start == pytest.approx(axis.to_fine(place + coarse_start))
    assert local.to_coarse(local.to_fine(place)) == pytest.approx(place, abs=1e-9)


@given(ratios, offsets, st.integers(0, 300), st.integers(1, 300), st.integers(0, 5))
def test_cover_takes_all_pixels_that_touch_and_no_more(ratio, offset, start, length, margin):
    axis, size = Axis(ratio, offset), 60
    first, last = axis.cover(start, start + length, size, margin)
    for i in range(size):
        left, right = axis.to_fine(i), axis.to_fine(i + 1)
        touches = left < start + length - ROUNDING and right > start + ROUNDING
        near = left < start + length + margin * ratio and right > start - margin * ratio
        assert not touches or first <= i < last
        assert near or not first <= i < last


@given(angles, st.floats(0, 200), st.floats(0, 200))
def test_mapping_through_another_crs_and_back_returns(angle, row, col):
    here, there = guide(angle), guide(17, UTM32)
    there_points = map_pixels(np.array([[col, row]]), here, there)
    back = map_pixels(there_points, there, here)
    assert back == pytest.approx(np.array([[col, row]]), abs=1e-3)


def test_the_same_crs_spelled_otherwise_is_the_same_ground():
    spelled = CRS.from_wkt(UTM33.to_wkt(version="WKT1_ESRI"))
    assert same_ground(guide(0, spelled), guide(0))
    assert same_ground(guide(0, None), guide(0))
    assert not same_ground(guide(0, UTM32), guide(0))


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=3, max_size=3))
def test_a_clipped_triangle_is_inside_and_no_larger(corners):
    triangle = np.array(corners)
    whole, kept = area(triangle), clip_polygon(triangle, 10, 8)
    assume(whole > 1e-3)
    assert area(kept) <= whole * (1 + 1e-9) + 1e-9
    if len(kept):
        assert kept[:, 0].min() >= -1e-9
        assert kept[:, 0].max() <= 8 + 1e-9
        assert kept[:, 1].min() >= -1e-9
        assert kept[:, 1].max() <= 10 + 1e-9


def test_clipping_keeps_exactly_the_shared_part():
    turned = np.array([[5.0, -1.0], [11.0, 5.0], [5.0, 11.0], [-1.0, 5.0]])
    assert area(clip_polygon(turned, 10, 10)) == pytest.approx(72 - 4 * 1.0)
    assert len(clip_polygon(turned + 100, 10, 10)) == 0
    assert area(clip_polygon(turned / 100 + 5, 10, 10)) == pytest.approx(72 / 1e4)


def area(points):
    if len(points) < 3:
        return 0.0
    x, y = points.T
    return abs(math.fsum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
