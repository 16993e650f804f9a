"""Tiles and blending: every pixel once, weights that sum to one, what a tile needs around it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.models import RASDFuNet, Tiling
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine.rasters.align import align
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster
from rasd_fusion.rasd_qgis.engine.scene.blend import Blender, Carry
from rasd_fusion.rasd_qgis.engine.scene.tile import plan, read_tile
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .scenes import FINE, centres, make_scene

tilings = st.builds(Tiling, st.just(8), st.sampled_from([2, 8, 32]), st.just(16))


def blended(image, rows, folder):
    """The image (C, H, W) cut into its tiles and blended again, and how often each pixel came."""
    result, times = torch.full_like(image, torch.nan), torch.zeros(image.shape[1:])
    blender = Blender(Carry(folder))
    for place in (place for row in rows for place in row):
        inside = (slice(None), slice(place.rows.start, place.rows.stop))
        part = image[(*inside, slice(place.cols.start, place.cols.stop))].clone()
        row, col, piece = blender.add(place, part)
        window = slice(row, row + piece.shape[1]), slice(col, col + piece.shape[2])
        result[(slice(None), *window)] = piece
        times[window] += 1
        blender.forget(place)
    return result, times


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(16, 200), tilings)
def test_blending_gives_every_pixel_once_and_unchanged(height, width, side, tiling):
    image = torch.rand(2, height, width, generator=torch.Generator().manual_seed(height))
    with tempfile.TemporaryDirectory() as folder:
        result, times = blended(image, plan((height, width), side, tiling), Path(folder))
        assert list(Path(folder).iterdir()) == []
    assert (times == 1).all()
    torch.testing.assert_close(result, image, atol=1e-6, rtol=1e-6)


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(16, 1000), tilings)
def test_tiles_cover_a_line_and_share_what_the_network_needs(size, side, tiling):
    spans = [place.cols for place in plan((1, size), side, tiling)[0]]
    overlap = -(-tiling.halo // 4) * 8
    most = max(side, 3 * overlap, overlap + 24)
    assert spans[0].start == 0 and spans[-1].stop == size
    assert spans[0].before == spans[-1].after == 0
    for before, after in zip(spans, spans[1:]):
        assert before.after == after.before == before.stop - after.start
        assert before.after >= 2 * tiling.halo
    for span in spans:
        assert span.start % tiling.multiple == 0
        assert tiling.least <= span.size <= most or span.size == size
        assert span.before + span.after <= span.size


def test_neighbours_fade_into_each_other(tmp_path):
    """Two tiles that disagree: the step between them is spread over the overlap's middle."""
    tiling = Tiling(8, 8, 16)
    ((left, right),) = plan((4, 80), 48, tiling)
    blender = Blender(Carry(tmp_path))
    first = blender.add(left, torch.zeros(1, 4, left.cols.size))[2]
    second = blender.add(right, torch.ones(1, 4, right.cols.size))[2]
    line = torch.cat([first, second], 2)[0, 0]
    assert line[0] == 0 and line[-1] == 1
    steps = line.diff()
    assert (steps >= -1e-6).all()
    assert steps.max() < 2.1 / left.cols.after
    assert (line[left.cols.stop - 1] == 1) and (line[right.cols.start] == 0)


@pytest.fixture
def pair(tmp_path, reporter):
    """A pair at ratio 3.3, the coarse grid starting 1.7 pixels left and 9.9 above the guide."""
    scene = make_scene(tmp_path, 60, 3.3, (-1.7, -9.9), noise=0.0)
    hs = scene.hs.astype("float32")
    hs[:, 8, 9] = float("nan")
    ms = scene.ms.astype("float32")
    ms[:, 50, 7] = float("nan")
    with (
        Raster(RasterSource(scene.write_hs(hs))) as coarse,
        Raster(RasterSource(scene.write_ms(ms))) as fine,
    ):
        yield align(coarse, fine, None, reporter), scene


def tiles(pair):
    for row in plan(pair.fine.shape, 32, Tiling(8, 4, 16)):
        for place in row:
            yield place, read_tile(pair, place, DEFAULT_SIGMA, torch.device("cpu"))


def test_a_tile_holds_its_part_of_both_images(pair):
    pair, scene = pair
    count = 0
    for place, tile in tiles(pair):
        count += 1
        height, width = place.rows.size, place.cols.size
        assert tile.guide.shape == (3, height, width)
        assert tile.valid.shape == (height, width)
        corner = FINE * Affine.translation(place.cols.start, place.rows.start)
        truth = scene.ground.at(*centres(corner, height, width))[:3]
        right = tile.valid
        torch.testing.assert_close(
            tile.guide[:, right], torch.from_numpy(truth).float()[:, right], atol=0.01, rtol=0
        )
        # The guide seen through the tile's own maps is what the coarse image shows of its bands.
        seen, given = tile.look.down(tile.guide), tile.coarse[:3]
        assert tile.observed.sum() > 20
        inner = tile.observed.clone()
        inner[[0, -1]] = False
        inner[:, [0, -1]] = False
        miss = (seen - given)[:, inner].square().mean().sqrt()
        assert miss < 0.08 * given.std()
    assert count > 3


def test_a_tile_marks_what_either_image_lacks(pair):
    pair, _ = pair
    whole = torch.zeros(pair.fine.shape, dtype=torch.bool)
    for place, tile in tiles(pair):
        rows, cols = place.rows, place.cols
        whole[rows.start : rows.stop, cols.start : cols.stop] = tile.valid
        assert tile.guide.isfinite().all() and tile.coarse.isfinite().all()
        assert not tile.observed.all()
    x, y = (torch.from_numpy(c) for c in centres(FINE, 60, 60))
    hole = ((x + 1.7) / 3.3).floor().eq(9) & ((y + 9.9) / 3.3).floor().eq(8)
    hole[50, 7] = True
    assert torch.equal(whole, ~hole)


def test_the_network_declares_sides_that_can_be_tiled():
    tiling = RASDFuNet.tiling
    for place in plan((1000, 1000), 1, tiling)[0]:
        assert place.cols.size >= tiling.least
