"""Reduction: the pair one scale down lies on its ground."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.scene import reduce as room
from rasd_fusion.rasd_qgis.engine.scene.survey import survey
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .scenes import BANDS, GUIDE_BANDS, make_scene

GOOD = torch.ones(BANDS, dtype=torch.bool)


@pytest.mark.parametrize(("side", "ratio"), [(96, 4.0), (66, 3.3), (20, 4.0), (8, 4.0), (4, 4.0)])
def test_the_reduced_pair_is_a_lesson_in_fusion(tmp_path, opened, side, ratio):
    scene = make_scene(tmp_path, side, ratio)
    pair = opened(scene)
    blocks = survey(pair, DEFAULT_SIGMA)
    gains = room.gains(blocks, pair.rows, pair.cols, DEFAULT_SIGMA, GOOD)
    assert gains.shape == (GUIDE_BANDS, BANDS)
    lesson = room.reduce(blocks[0], pair.rows, pair.cols, DEFAULT_SIGMA, gains)
    assert lesson.target.shape == lesson.start.shape == pair_shape(pair)
    assert lesson.guide.shape == lesson.detail.shape == (GUIDE_BANDS, *pair.coarse_shape)
    assert lesson.start.isfinite().all()
    if side >= 66:
        miss = (lesson.target - lesson.start).square().mean((1, 2))
        assert (miss[:GUIDE_BANDS] < 0.2 * lesson.target.var((1, 2))[:GUIDE_BANDS]).all()


def pair_shape(pair):
    return (BANDS, *pair.coarse_shape)


def test_bad_bands_get_no_detail(tmp_path, opened):
    pair = opened(make_scene(tmp_path, 48))
    blocks = survey(pair, DEFAULT_SIGMA)
    good = GOOD.clone()
    good[2] = False
    gains = room.gains(blocks, pair.rows, pair.cols, DEFAULT_SIGMA, good)
    assert (gains[:, 2] == 0).all()
    assert (gains[:, 1] != 0).any()
