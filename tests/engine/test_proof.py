"""Proof: a network that does harm one scale down is followed less; one that serves, all the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.general import network, proof
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .known import bundled, known

SIDE = 96


@pytest.fixture(scope="module")
def pair():
    return known(side=SIDE, noise=5.0)


def trust(pair):
    good = torch.ones(len(pair.coarse), dtype=torch.bool)
    model = proof.fitted(bundled(), [pair.block], pair.axis, pair.axis, DEFAULT_SIGMA, good)
    return float(model.fitted.trust)


def test_a_network_that_serves_is_followed(pair):
    assert trust(pair) > 0.7


def test_one_that_does_harm_is_followed_as_far_as_few_pixels_leave_open(pair, monkeypatch):
    right = network.answered

    def wrong(image, changes, answer):
        residual, log = right(image, changes, answer)
        return -residual, log

    monkeypatch.setattr(network, "answered", wrong)
    pixels = pair.coarse[0].numel()
    say = proof.MOST_SAY * pixels / (pixels + proof.PRIOR_PIXELS)
    assert trust(pair) == pytest.approx(1 - say)


def test_the_share_that_is_taken_scales_what_the_network_adds(pair):
    study, model = pair.study(), bundled()
    whole, half = (
        pair.fused_by(replace(model, study=replace(study, trust=torch.tensor(share))))
        for share in (1.0, 0.5)
    )
    start = whole.start
    torch.testing.assert_close(
        half.bands - start, 0.5 * (whole.bands - start), atol=1e-3 * float(start.std()), rtol=0
    )
