"""The network for any pair: its closed forms, and what neither it nor they must care about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rasd_fusion.benchmarks.peers import bayes
from rasd_fusion.models import RASDConfig, RASDFuNet
from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.engine.general.network import GeneralNetwork
from rasd_fusion.rasd_qgis.engine.general.samples import level_of
from rasd_fusion.rasd_qgis.engine.general.told import (
    ANSWER,
    CHANGES,
    CHANNELS,
    MOST_OWN,
    answered,
    tell,
)
from rasd_fusion.rasd_qgis.engine.scene.survey import Block
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .known import bundled, known

BANDS = 20


@pytest.fixture(scope="module")
def model():
    return bundled()


@pytest.fixture(scope="module")
def pair():
    return known(BANDS, noise=5.0)


@pytest.fixture(scope="module")
def fused(pair, model):
    return pair.fused(model)


def span(image) -> float:
    return float(image.max() - image.min())


def apart(image, other) -> float:
    """The greatest difference, in ranges of the other."""
    return float((image - other).abs().max()) / span(other)


def test_the_posterior_is_that_of_the_form_in_numpy(pair):
    """Both in the same components; `bayes` finds response, noises, prior and solution by itself."""
    posterior = pair.study().forms.posterior
    seen = pair.look.down(pair.guide)
    block = Block(pair.coarse, seen, torch.ones(seen.shape[1:], dtype=torch.bool))
    lost = level_of([block], pair.axis, pair.axis, DEFAULT_SIGMA).lost.view_as(pair.coarse)
    components = posterior.components(pair.coarse)
    left_out = pair.coarse - posterior.bands(components)
    means = posterior.guide_mean[:, None, None]
    detail = torch.einsum("bk,bhw->khw", posterior.basis, lost.float())
    samples = [t.double().numpy() for t in (components, seen - means, left_out, detail)]
    fitted = bayes.fit(*samples)
    np.testing.assert_allclose(posterior.response, fitted.response, atol=1e-3, rtol=1e-3)
    maps = [m.double().numpy() for m in (pair.look.down_rows, pair.look.down_cols)]
    mean, guide = pair.look.up(components).double().numpy(), (pair.guide - means).double().numpy()
    image = posterior.bands(
        torch.from_numpy(bayes.solve(samples[0], guide, mean, fitted, maps)).float()
    )
    missing = pair.coarse - pair.look.down(image)
    inside = torch.einsum("bk,ck,chw->bhw", posterior.basis, posterior.basis, missing)
    image = image + pair.look.up(missing - inside)
    assert apart(posterior.estimate(pair.coarse, pair.guide, pair.look), image) < 1e-4


@pytest.mark.parametrize("ratio", [2.0, 4.0, 3.3])
def test_without_noise_the_start_returns_the_observed_image_and_nears_the_truth(ratio):
    pair = known(ratio=ratio)
    start = pair.study().start(pair.coarse, pair.guide, pair.look)
    assert apart(pair.look.down(start), pair.coarse) < 1e-3
    missed, interpolated = (
        (image - pair.truth).square().mean() for image in (start, pair.look.up(pair.coarse))
    )
    assert missed < 0.02 * interpolated


def test_what_the_network_leaves_unsaid_changes_nothing(pair):
    torch.manual_seed(0)
    fresh = RASDFuNet(RASDConfig(ANSWER, CHANNELS, 8, 1)).eval()
    fresh.start_from_skip()
    found = pair.fused(GeneralNetwork(fresh, torch.ones(2)))
    torch.testing.assert_close(found.bands, found.start, atol=1e-3 * span(pair.truth), rtol=0)


def test_an_answer_is_read_as_a_bounded_residual():
    image, changes = torch.randn(2, 6, 6), torch.randn(2, CHANGES, 6, 6)
    answer = torch.zeros(2, ANSWER, 6, 6)
    answer[:, 0] = image
    residual, log = answered(image, changes, answer)
    assert not residual.any() and not log.any()
    answer[:, 1 + 3] = 0.01
    torch.testing.assert_close(
        answered(image, changes, answer)[0], 0.01 * changes[:, 3], rtol=1e-3, atol=1e-6
    )
    answer[:, 1:-1], answer[:, 0] = 0.0, 1e9
    assert answered(image, changes, answer)[0].max() == MOST_OWN


def test_the_bundled_model_betters_its_start_and_tells_how_far_it_may_be_off(pair, fused):
    missed = [(image - pair.truth).square().mean() for image in (fused.bands, fused.start)]
    assert missed[0] < missed[1]
    inside = ((fused.bands - pair.truth).abs() <= fused.spread).float().mean()
    assert 0.75 < inside < 0.995
    assert fused.confidence.min() >= 0.0 and fused.confidence.max() <= 1.0
    assert 0.0 <= fused.low_rank_share <= 1.0


@pytest.mark.parametrize("gain", [1e-4, 1e3])
def test_units_do_not_matter(pair, fused, model, gain):
    again = replace(pair, coarse=pair.coarse * gain, guide=pair.guide * gain).fused(model)
    assert apart(again.bands / gain, fused.bands) < 5e-3
    assert apart(again.spread / gain, fused.spread) < 2e-2
    other = replace(pair, guide=pair.guide * gain + 500.0).fused(model)
    assert apart(other.bands, fused.bands) < 5e-3


def test_the_order_of_bands_does_not_matter(pair, fused, model):
    order = torch.randperm(BANDS, generator=torch.Generator().manual_seed(0))
    turned = replace(pair, coarse=pair.coarse[order]).fused(model)
    assert apart(turned.start, fused.start[order]) < 1e-4
    assert apart(turned.bands, fused.bands[order]) < 5e-3
    turned = replace(pair, guide=pair.guide[[2, 0, 3, 1]]).fused(model)
    assert apart(turned.start, fused.start) < 1e-4
    # It is told the guide's components in an order and with signs of their own.
    assert apart(turned.bands, fused.bands) < 1e-2


@given(
    bands=st.integers(1, 40),
    guide=st.integers(1, 12),
    side=st.integers(5, 40),
    ratio=st.floats(1.0, 9.0),
    seed=st.integers(0, 99),
)
@example(bands=8, guide=3, side=4, ratio=4.0, seed=0)
@example(bands=8, guide=1, side=20, ratio=4.0, seed=0)
@example(bands=5, guide=12, side=20, ratio=4.0, seed=0)
@example(bands=1, guide=1, side=1, ratio=1.0, seed=0)
@settings(max_examples=10, deadline=None)
def test_whatever_the_sizes_values_stay_possible(bands, guide, side, ratio, seed):
    model, pair = bundled(), known(bands, guide, side, min(ratio, side), 5.0, seed)
    found = pair.fused(model)
    assert found.bands.shape == pair.truth.shape == found.spread.shape
    assert found.bands.isfinite().all() and found.bands.min() >= 0.0
    assert found.bands.max() < 2 * pair.truth.max()
    unknown = found.spread.isnan()
    assert (found.spread[~unknown] >= 0).all()
    # Of a band that never varies, as in a single coarse pixel, no error is known.
    assert (unknown.flatten(1).all(1) == (pair.coarse.flatten(1).std(1, correction=0) == 0)).all()


@pytest.mark.parametrize("junk", [0.0, 1e9, -1e9, 1e30])
def test_what_bad_bands_hold_reaches_no_other_band(pair, model, junk):
    good = torch.ones(BANDS, dtype=torch.bool)
    good[[2, 5]] = False
    spoilt = pair.coarse.clone()
    spoilt[2], spoilt[5] = junk, junk * torch.rand(spoilt.shape[1:])
    clean, found = pair.fused(model, good), replace(pair, coarse=spoilt).fused(model, good)
    assert torch.equal(found.bands[good], clean.bands[good])
    assert torch.equal(found.spread[good], clean.spread[good])
    assert found.spread[~good].isnan().all()


@pytest.mark.parametrize(
    ("side", "change"),
    [
        ("coarse", lambda image: torch.full_like(image, 7.0)),
        ("coarse", torch.zeros_like),
        ("coarse", lambda image: torch.cat((image[:1] * 0 + 7.0, image[1:]))),
        ("guide", lambda image: torch.full_like(image, 7.0)),
        ("guide", lambda image: torch.cat((image[:1] * 0, image[1:]))),
        ("guide", lambda image: image[:1].expand(4, -1, -1)),
        ("guide", torch.rand_like),
    ],
)
def test_images_without_contrast_or_kinship_are_fused_to_possible_values(pair, model, side, change):
    odd = replace(pair, **{side: change(getattr(pair, side))})
    found = odd.fused(model).bands
    assert found.isfinite().all() and found.min() >= 0.0
    assert found.max() <= 2 * odd.coarse.max()
    still = odd.coarse.flatten(1).std(1, correction=0) == 0
    assert (found[still] - odd.coarse[still][:, :1, :1]).abs().max() < 1e-2 if still.any() else True


def test_values_below_zero_are_kept_where_there_were_some(pair, model):
    low = replace(pair, coarse=pair.coarse - 2000.0, truth=pair.truth - 2000.0)
    found = low.fused(model)
    assert found.bands.min() < -500.0
    assert (found.bands - low.truth).abs().mean() < 0.05 * span(low.truth)


def test_values_beyond_computing_are_refused_with_a_sentence(pair, model):
    huge = replace(pair, coarse=torch.where(pair.coarse > 2000, 1e30, pair.coarse))
    with pytest.raises(InputError, match="too large to compute with"):
        huge.fused(model)


def test_all_that_is_told_is_bounded(pair):
    wild = replace(pair, guide=pair.guide.flip(1) ** 2)
    told = tell(wild.study(), wild.coarse, 50 * wild.guide, wild.look)
    assert told.changes.abs().max() <= 8 and told.image.abs().max() <= 10
    assert told.shared.isfinite().all() and told.facts.abs().max() < 20
