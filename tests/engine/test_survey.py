"""A survey shows both images through one sensor, and is spread over the scene."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.engine.scene import survey as room
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .scenes import BANDS, GUIDE_BANDS, make_scene


@pytest.mark.parametrize(("ratio", "offset"), [(4.0, (0.0, 0.0)), (3.3, (-1.7, -9.9))])
def test_a_block_shows_both_images_through_one_sensor(tmp_path, opened, ratio, offset):
    """The guide's bands are the hyperspectral image's first: so seen they must be equal."""
    scene = make_scene(tmp_path, 80, ratio, offset, noise=0.0)
    (block,) = room.survey(opened(scene), DEFAULT_SIGMA)
    assert block.bands.shape == (BANDS, *block.valid.shape)
    assert block.guide.shape == (GUIDE_BANDS, *block.valid.shape)
    inner = block.valid.clone()
    inner[[0, 1, -2, -1]] = False
    inner[:, [0, 1, -2, -1]] = False
    given, seen = block.bands[:GUIDE_BANDS, inner], block.guide[:, inner]
    assert inner.sum() > 100
    assert (given - seen).square().mean().sqrt() < 0.08 * given.std()


def test_pixels_that_see_a_hole_of_the_guide_do_not_count(tmp_path, opened):
    scene = make_scene(tmp_path, 80)
    ms, hs = scene.ms.astype("float32"), scene.hs.astype("float32")
    ms[:, 41:43, 41:43] = np.nan
    hs[:, 3, 5] = np.nan
    (block,) = room.survey(opened(scene, hs, ms), DEFAULT_SIGMA)
    assert not block.valid[10, 10]
    assert not block.valid[3, 5]
    assert block.valid[13:, 13:].all()
    assert block.valid.float().mean() > 0.95
    assert block.guide.isfinite().all()


def test_a_large_scene_is_surveyed_by_blocks_spread_over_it(tmp_path, opened, monkeypatch):
    scene = make_scene(tmp_path, 128, 2.0, noise=0.0)
    pair = opened(scene)
    monkeypatch.setattr(room, "BLOCK", 16)
    everything = room.survey(pair, DEFAULT_SIGMA)
    assert len(everything) == 16
    assert sum(block.valid.numel() for block in everything) == 64 * 64
    monkeypatch.setattr(room, "SURVEY_BYTES", 5 * 4 * 16**2 * (BANDS + GUIDE_BANDS))
    some = room.survey(pair, DEFAULT_SIGMA)
    assert len(some) == 5
    torch.testing.assert_close(some[0].bands, everything[0].bands)
    torch.testing.assert_close(some[-1].bands, everything[-1].bands)
    # A block's border sees the guide beyond it: the same pixels as in the whole.
    monkeypatch.undo()
    (whole,) = room.survey(pair, DEFAULT_SIGMA)
    torch.testing.assert_close(whole.guide[:, :16, :16], everything[0].guide, atol=0.01, rtol=0)


def test_nothing_valid_in_both_is_refused(tmp_path, opened):
    scene = make_scene(tmp_path, 48)
    hs, ms = scene.hs.astype("float32"), scene.ms.astype("float32")
    hs[:, :, :6] = ms[:, :, 24:] = np.nan
    with pytest.raises(InputError, match="valid in both"):
        room.survey(opened(scene, hs, ms), DEFAULT_SIGMA)
