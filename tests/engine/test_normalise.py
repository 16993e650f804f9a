"""Normalisation: there and back loses nothing that counts, whatever bands and units come."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.scene import normalise
from rasd_fusion.rasd_qgis.engine.scene.normalise import fit
from rasd_fusion.rasd_qgis.engine.scene.reduce import Reduced

BANDS, GUIDE = 6, 2


def lesson(scale=1.0, seed=0, side=24, bands=BANDS):
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=generator)

    target = scale * (1000 + 100 * noise(bands, side, side))
    start = target + scale * 10 * noise(bands, side, side)
    guide = 50 + 7 * noise(GUIDE, side, side)
    detail = 2 * noise(GUIDE, side, side)
    return Reduced(target, start, guide, detail, torch.ones(side, side, dtype=torch.bool))


def all_good(bands=BANDS):
    return torch.ones(bands, dtype=torch.bool)


def test_components_span_the_bands_and_are_of_unit_spread():
    part = lesson()
    units = fit([part], all_good())
    torch.testing.assert_close(units.basis.T @ units.basis, torch.eye(units.components))
    components = units.start(part.target)
    torch.testing.assert_close(
        components.std((1, 2)), torch.ones(len(components)), rtol=0.02, atol=0
    )
    assert components.mean((1, 2)).abs().max() < 0.02
    guide = units.guide(part.guide, part.detail)
    assert guide.shape == (2 * GUIDE, 24, 24)
    torch.testing.assert_close(guide.std((1, 2)), torch.ones(2 * GUIDE), rtol=0.02, atol=0.02)


def test_a_difference_comes_back_whole_where_all_components_are_kept():
    part = lesson()
    units = fit([part], all_good())
    assert units.components == BANDS
    difference = part.target - part.start
    torch.testing.assert_close(
        units.in_dn(units.residual_of(difference)), difference, atol=1e-3, rtol=1e-4
    )


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_unit_of_the_scene_does_not_matter(scale):
    plain, scaled = lesson(), lesson(scale)
    first, second = fit([plain], all_good()), fit([scaled], all_good())
    torch.testing.assert_close(
        first.start(plain.start), second.start(scaled.start), atol=5e-3, rtol=0
    )
    residuals = (
        first.residual_of(plain.target - plain.start),
        second.residual_of(scaled.target - scaled.start),
    )
    torch.testing.assert_close(*residuals, atol=5e-3, rtol=0)


def test_bad_and_constant_bands_neither_teach_nor_change():
    part = lesson()
    part.target[4] = part.start[4] = 7.0
    part.target[2] *= 1e6
    good = all_good()
    good[2] = False
    units = fit([part], good)
    ones = torch.ones(units.components, 3, 3)
    assert units.miss.isinf().tolist() == [False, False, True, False, True, False]
    assert (units.in_dn(ones)[[2, 4]] == 0).all()
    assert units.start(part.start).isfinite().all()
    wild = part.start.clone()
    wild[2] += 1e9
    torch.testing.assert_close(units.start(wild), units.start(part.start))


def test_only_valid_pixels_are_measured():
    part = lesson()
    clean = fit([part], all_good())
    hole = torch.ones(24, 24, dtype=torch.bool)
    hole[3:6, 3:9] = False
    for image in (part.target, part.start, part.guide, part.detail):
        image[:, ~hole] = 1e7
    spoilt = fit([Reduced(part.target, part.start, part.guide, part.detail, hole)], all_good())
    torch.testing.assert_close(spoilt.mean, clean.mean, rtol=0.02, atol=0)
    torch.testing.assert_close(spoilt.guide_spread, clean.guide_spread, rtol=0.1, atol=0)


@pytest.mark.parametrize("side", [1, 2])
def test_fewer_pixels_than_bands(side):
    part = lesson(side=side)
    units = fit([part], all_good())
    assert 1 <= units.components <= max(1, side * side - 1)
    assert units.start(part.start).isfinite().all()
    assert units.guide(part.guide, part.detail).isfinite().all()


def test_many_bands_are_seen_in_few_components():
    part = lesson(bands=60)
    units = fit([part], all_good(60))
    assert units.components == normalise.COMPONENTS < 60
    assert units.in_dn(units.start(part.start)).shape == part.start.shape


def test_components_that_vary_less_than_the_estimate_misses_can_be_left_out():
    generator = torch.Generator().manual_seed(3)
    part = lesson()
    # One direction far above the misses, of 10 a band; the others below them.
    pattern = torch.randn(24, 24, generator=generator)
    weak = torch.randn(BANDS, 24, 24, generator=generator)
    target = 1000 + torch.arange(1.0, BANDS + 1)[:, None, None] * 100 * pattern + weak
    start = target + 10 * torch.randn(BANDS, 24, 24, generator=generator)
    one = Reduced(target, start, part.guide, part.detail, part.valid)
    assert fit([one], all_good()).components == BANDS
    assert fit([one], all_good(), least_spread=1.0).components == 1
    assert fit([one], all_good(), least_spread=1e9).components == 1
