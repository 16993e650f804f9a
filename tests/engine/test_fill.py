"""Filling: nothing of a hole's content is left, nothing around it is touched."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.engine.rasters.fill import filled


def scene(height, width, seed, share):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(3, height, width, generator=generator)
    return image, torch.rand(height, width, generator=generator) < share


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))


@given(shapes, st.sampled_from([0.02, 0.5, 0.95]))
def test_valid_pixels_stay_and_holes_get_values_like_theirs(shape, share):
    image, valid = scene(*shape, share)
    result = filled(image, valid)
    assert torch.equal(result[:, valid], image[:, valid])
    if valid.any():
        least, most = image[:, valid].amin(1), image[:, valid].amax(1)
        assert (result >= least[:, None, None] - 1e-5).all()
        assert (result <= most[:, None, None] + 1e-5).all()
    else:
        assert (result == 0).all()


@given(shapes, st.sampled_from([float("nan"), float("inf"), -1e38, 65535.0]))
def test_what_a_hole_held_does_not_matter(shape, junk):
    image, valid = scene(*shape, 0.6)
    spoilt = torch.where(valid, image, junk)
    assert torch.equal(filled(spoilt, valid), filled(image, valid))


def test_a_hole_takes_after_its_neighbourhood():
    image = torch.zeros(1, 32, 32)
    image[:, :, 16:] = 100.0
    valid = torch.ones(32, 32, dtype=torch.bool)
    valid[4:6, 4:6] = valid[20:22, 24:26] = False
    result = filled(torch.where(valid, image, -7.0), valid)
    assert torch.equal(result, image)
