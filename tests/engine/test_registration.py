"""Registration: a guide that lies beside the hyperspectral image is moved back; no other is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.engine.general import study
from rasd_fusion.rasd_qgis.engine.general.registration import moved, registered
from rasd_fusion.rasd_qgis.engine.scene.survey import Block

from .known import bundled, known

PARTS = st.floats(-0.9, 0.9)


def drawn_by(pair, down, right):
    """The pair, what its guide shows lying so many pixels further down and right."""
    return replace(pair, guide=moved(pair.guide, torch.tensor([-down, -right])))


def error(image, pair):
    return float((image - pair.truth).square().mean().sqrt())


@pytest.fixture(scope="module")
def pair():
    return known(side=64, noise=3.0)


@given(PARTS, PARTS)
@settings(max_examples=15, deadline=None)
def test_a_displaced_guide_is_found_out(pair, down, right):
    move = drawn_by(pair, down, right).study().move
    assert float((move - torch.tensor([down, right])).abs().max()) < 0.1


def test_a_guide_in_its_place_is_left_as_it_is(pair):
    assert not pair.study().move.any()
    assert moved(pair.guide, torch.zeros(2)) is pair.guide


def test_what_the_displacement_cost_is_regained(pair, monkeypatch):
    beside, model = drawn_by(pair, 0.5, -0.4), bundled()
    best, regained = (error(found.fused(model).bands, pair) for found in (pair, beside))
    monkeypatch.setattr(study, "registered", lambda blocks, good: (blocks, torch.zeros(2)))
    lost = error(beside.fused(model).bands, pair)
    assert regained < best + 0.5 * (lost - best)


@given(st.integers(0, 1000), st.integers(5, 12), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_images_that_have_nothing_in_common_leave_the_guide_near(seed, side, bands):
    random = np.random.default_rng(seed)
    noise = torch.from_numpy(random.standard_normal((3, 3, 3, side, side))).float()
    image = torch.from_numpy(random.standard_normal((bands, side, side))).float()
    block = Block(image, noise[1, 1], torch.ones(side, side, dtype=torch.bool), noise)
    blocks, move = registered([block], torch.ones(bands, dtype=torch.bool))
    assert move.isfinite().all() and float(move.abs().max()) <= 1.0
    assert blocks[0].guide.isfinite().all()


def test_a_flat_scene_is_left_as_it_is():
    flat = torch.ones(3, 3, 2, 8, 8)
    block = Block(torch.ones(4, 8, 8), flat[1, 1], torch.ones(8, 8, dtype=torch.bool), flat)
    assert not registered([block], torch.ones(4, dtype=torch.bool))[1].any()


def test_the_fused_image_is_compared_with_the_guide_where_it_lay(pair):
    beside, model = drawn_by(pair, 0.5, -0.4), bundled()
    study_of_it = beside.study()
    fixed = replace(model, study=study_of_it)
    still = replace(model, study=replace(study_of_it, move=torch.zeros(2)))
    truth = pair.truth
    apart = [float((one.seen(truth) - beside.guide).square().mean()) for one in (fixed, still)]
    assert apart[0] < 0.5 * apart[1]
