"""Place: a fused pixel stands where its ground is, whatever the grids are (≤ 0.1 fine pixel)."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.warp import transform as transform_points

from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .scenes import BANDS, FINE, UTM33, Ground, centres, make_scene, run, shift_of, write

SIDE = 64
MOST = 0.1


def shift_inside(result, ground, border=0):
    """The displacement of every band, (BANDS, 2), a border of fine pixels left out."""
    inside = slice(border, SIDE - border)
    x, y = (c[inside, inside] for c in centres(FINE, SIDE, SIDE))
    return shift_of(result.bands[:, inside, inside], ground, x, y)


@pytest.mark.parametrize("planted", [(0.0, 0.0), (0.3, -0.2)])
def test_the_measure_finds_a_planted_shift(planted):
    ground = Ground(3.3)
    x, y = centres(FINE, SIDE, SIDE)
    image = ground.at(x - planted[0], y - planted[1])
    np.testing.assert_allclose(shift_of(image, ground, x, y), [planted] * BANDS, atol=0.05)


@pytest.mark.parametrize(
    ("ratio", "offset"),
    [(4.0, (0.0, 0.0)), (3.3, (-1.7, -0.45)), (2.0, (-0.5, -1.5)), (6.75, (-3.1, -6.2))],
)
def test_parallel_grids_of_any_ratio_and_phase(tmp_path, ratio, offset):
    scene = make_scene(tmp_path, SIDE, ratio, offset)
    result = run(tmp_path, scene.write_hs(), scene.write_ms())
    assert np.abs(shift_inside(result, scene.ground)).max() < MOST


@pytest.mark.parametrize(
    ("crs", "turn"), [(UTM33, 17.0), ("EPSG:32632", 0.0), ("EPSG:32634", 90.0)]
)
def test_turned_grids_and_other_crss(tmp_path, crs, turn):
    ratio, count = 4.0, 34
    ground = Ground(ratio)
    middle = FINE * (SIDE / 2, SIDE / 2)
    (east,), (north,) = transform_points(UTM33, crs, [middle[0]], [middle[1]])
    size = 10 * ratio
    lie = Affine.translation(east, north) * Affine.rotation(turn) * Affine.scale(size, -size)
    lie = lie * Affine.translation(-count / 2, -count / 2)
    hs = ground.at(*centres(lie, count, count, crs), DEFAULT_SIGMA * ratio)
    hs_path = write(tmp_path / "hs.tif", hs.astype("float32"), lie, crs)
    ms_path = write(tmp_path / "ms.tif", ground.at(*centres(FINE, SIDE, SIDE))[:3].astype("f4"))
    result = run(tmp_path, hs_path, ms_path)
    assert result.valid.all()
    assert np.abs(shift_inside(result, ground)).max() < MOST


def test_the_part_in_an_extent_stands_where_it_stood(tmp_path):
    scene = make_scene(tmp_path, SIDE, 3.3, (-1.7, -0.45))
    paths = scene.write_hs(), scene.write_ms()
    west, north = FINE * (13, 7)
    east, south = FINE * (57, 59)
    part = run(tmp_path, *paths, extent=(west, south, east, north))
    assert part.profile["transform"] == FINE * Affine.translation(13, 7)
    x, y = (c[7:59, 13:57] for c in centres(FINE, SIDE, SIDE))
    assert part.bands.shape[1:] == x.shape
    assert np.abs(shift_of(part.bands, scene.ground, x, y)).max() < MOST


def test_a_wider_hyperspectral_image_leaves_the_border_as_sharp(tmp_path):
    """What lies beyond the guide, the guide did not see: it must not be taken for its detail."""
    scene = make_scene(tmp_path, SIDE, 4.0, (-40.0, -40.0))
    ms = scene.write_ms()
    wide = run(tmp_path, scene.write_hs(), ms, training_steps=0)
    scene.hs, scene.hs_transform = scene.hs[:, 10:, 10:], FINE * Affine.scale(4)
    cut = run(tmp_path, scene.write_hs(), ms, training_steps=0)
    truth = scene.ground.at(*centres(FINE, SIDE, SIDE))
    border = np.ones((SIDE, SIDE), bool)
    border[3:-3, 3:-3] = False
    misses = [np.square(result.bands - truth)[:, border].mean() for result in (wide, cut)]
    assert misses[0] < 1.1 * misses[1]
