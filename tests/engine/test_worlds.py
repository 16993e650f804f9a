"""Worlds, lessons, and training on them: what is drawn is sound, hangs on its seed, and teaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.benchmarks import calibrate
from rasd_fusion.models import RASDConfig, RASDFuNet
from rasd_fusion.rasd_qgis.engine.general.lessons import CropShape, crops_of, losses
from rasd_fusion.rasd_qgis.engine.general.network import GeneralNetwork
from rasd_fusion.rasd_qgis.engine.general.told import ANSWER, CHANGES, CHANNELS
from rasd_fusion.rasd_qgis.engine.learning import disagreement, worlds
from rasd_fusion.rasd_qgis.engine.learning.pool import Pool, lesson_over
from rasd_fusion.rasd_qgis.engine.learning.world_course import WorldCourse, WorldRecipe

from .known import Known, bundled, cube, scenes

SHAPE = CropShape(worlds=2, components=3, side=24)
RECIPE = WorldRecipe(
    6, warming=2, pool=3, renew=2, worlds=2, components=2, side=16, stages=1, channels=8
)


@pytest.fixture(scope="module")
def pool():
    made = Pool(scenes(), worlds.shares_of(scenes()), 4, seed=5)
    made.fill(4)
    return made


def drawn(seed: int) -> worlds.World:
    ground = scenes()
    return worlds.draw(np.random.default_rng(seed), ground, worlds.shares_of(ground))


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_a_world_is_a_pair_of_its_truth_and_hangs_on_its_seed(seed):
    world, again = drawn(seed), drawn(seed)
    for field in ("truth", "coarse", "guide"):
        assert torch.equal(getattr(world, field), getattr(again, field))
        assert getattr(world, field).isfinite().all()
    bands, side, _ = world.truth.shape
    small = world.coarse.shape[1]
    assert world.truth.shape[2] == side == world.guide.shape[1] == world.guide.shape[2]
    assert world.coarse.shape == (bands, small, small)
    assert len(world.guide) in worlds.GUIDES
    assert 2.0 <= world.axis.ratio <= 8.0
    assert 0 <= side - small * world.axis.ratio + 1e-3 < world.axis.ratio + 1
    assert side >= worlds.SMALLEST
    # As the engine looks at it, the coarse image is the truth's but for noise and a wrong PSF.
    seen = world.look.down(world.truth)
    assert (seen - world.coarse).std() < 0.5 * seen.std()


def test_every_sensor_is_drawn_alike():
    ground = [*scenes(4), worlds.Scene("alone", "third", cube(40, 64))]
    shares = worlds.shares_of(ground)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[4] > shares[0] == pytest.approx(shares[1])


@pytest.mark.parametrize("way", [way for way, _ in disagreement._WAYS], ids=lambda w: w.__name__)
def test_every_disagreement_changes_the_guide_and_keeps_it_a_picture_of_the_ground(way):
    guide = cube(4, 40)
    spread = guide.std((1, 2), keepdim=True)
    for seed in range(3):
        found = way(np.random.default_rng(seed), guide, spread)
        again = way(np.random.default_rng(seed), guide, spread)
        assert torch.equal(found, again)
        assert found.shape == guide.shape and found.isfinite().all()
        assert 0 < (found - guide).abs().max() < 6 * spread.max()
        for band, other in zip(found, guide):
            assert torch.corrcoef(torch.stack((band.flatten(), other.flatten())))[0, 1] > 0.5


def test_disagreement_of_a_guide_without_contrast_is_finite():
    flat = torch.full((3, 20, 20), 5.0)
    for seed in range(20):
        assert disagreement.of(np.random.default_rng(seed), flat).isfinite().all()


def test_a_world_seen_without_a_shift_or_blur_is_itself():
    guide = cube(3, 24)
    still = torch.zeros(24, 24)
    torch.testing.assert_close(disagreement.warped(guide, still, still), guide, rtol=1e-4, atol=0.1)
    moved = disagreement.warped(guide, still + 1, still)
    torch.testing.assert_close(moved[:, 2:-3], guide[:, 3:-2], rtol=1e-3, atol=0.5)
    torch.testing.assert_close(disagreement.blurred(guide, 0.05), guide)


def test_a_lesson_asks_for_what_its_start_misses():
    world = drawn(1)
    lesson = lesson_over(world)
    count, height, width = lesson.answer.shape
    assert lesson.changes.shape == (count, CHANGES, height, width)
    assert lesson.pixels == height * width == world.truth[0].numel()
    assert all(field.isfinite().all() for field in lesson)
    # In units of the error that was expected of it, an error is about 1.
    assert 0.1 < lesson.answer.float().square().mean().sqrt() < 10


def test_crops_are_parts_of_the_lessons_turned_alike(pool):
    crops = crops_of(pool.lessons(), np.random.default_rng(0), SHAPE)
    assert crops.start.shape == (6, ANSWER, 24, 24)
    assert crops.guide.shape == (6, CHANNELS, 24, 24)
    assert torch.equal(crops.start[:, 0], crops.image.flatten(0, 1))
    assert torch.equal(crops.guide[:, :CHANGES], crops.changes.flatten(0, 1))
    assert set(crops.weight.unique().tolist()) <= {0.0, 1.0}
    sizes = {
        tuple(sorted(lesson.answer[0].abs().flatten().tolist())[-1:]) for lesson in pool.lessons()
    }
    assert len(sizes) == 4
    # A crop as large as its world holds all of it, whichever way round.
    (lesson,) = pool.lessons()[:1]
    side = lesson.rest.shape[0]
    all_of_it = crops_of([lesson], np.random.default_rng(1), CropShape(1, len(lesson.error), side))
    order = all_of_it.error[0].argsort(descending=True)
    torch.testing.assert_close(
        all_of_it.answer[0][order].abs().sum((1, 2)),
        lesson.answer[lesson.error.argsort(descending=True)].float().abs().sum((1, 2)),
        rtol=1e-4,
        atol=1e-2,
    )
    assert all_of_it.weight.sum() == lesson.pixels


def test_what_is_repeated_to_fill_a_crop_counts_nothing(pool):
    side = max(lesson.rest.shape[0] for lesson in pool.lessons()) + 5
    crops = crops_of(pool.lessons(), np.random.default_rng(0), replace(SHAPE, side=side))
    network = fresh()
    spoilt = crops._replace(answer=torch.where(crops.weight[:, None] > 0, crops.answer, 50.0))
    for one, other in zip(losses(network, crops, 0.5), losses(network, spoilt, 0.5)):
        torch.testing.assert_close(one, other)


def fresh() -> RASDFuNet:
    torch.manual_seed(0)
    network = RASDFuNet(RASDConfig(ANSWER, CHANNELS, 8, 1))
    network.start_from_skip()
    return network.eval()


def test_a_network_that_says_nothing_gains_nothing_and_one_that_learns_gains(pool):
    crops = crops_of(pool.lessons(), np.random.default_rng(0), SHAPE)
    network = fresh()
    gain, _ = losses(network, crops, 0.5)
    assert abs(float(gain.detach())) < 1e-4
    optimiser, seen = torch.optim.Adam(network.parameters(), 3e-3), []
    for _ in range(30):
        gain, told = losses(network, crops, 0.5)
        seen.append([float(gain.detach()), float(told.detach())])
        optimiser.zero_grad()
        (0.1 * told - gain).backward()
        optimiser.step()
    assert seen[-1][0] > 0.5
    assert seen[-1][1] < seen[0][1] - 0.1
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_calibrated_intervals_hold_nine_values_of_ten(monkeypatch):
    monkeypatch.setattr(calibrate, "WORLDS", 5)
    network, ground = bundled().network, scenes()
    model, inside = GeneralNetwork(network, calibrate.calibrated(network, ground)), []
    for number in range(5):
        random = np.random.default_rng([calibrate.SEED, number])
        world = worlds.draw(random, ground, worlds.shares_of(ground))
        pair = Known(world.truth, world.coarse, world.guide, world.look, world.axis)
        found = pair.fused(model, sigma=world.sigma)
        inside.append(((found.bands - world.truth).abs() <= found.spread).float().mean())
    assert 0.88 < np.mean(inside) < 0.92


def course() -> WorldCourse:
    ground = scenes(1, bands=24, side=40)
    return WorldCourse(
        Pool(ground, worlds.shares_of(ground), RECIPE.pool, 0), RECIPE, torch.device("cpu")
    )


def test_a_training_that_was_cut_short_goes_on_to_the_same_bits(tmp_path):
    whole, first, second = course(), course(), course()
    gains = [whole.advance() for _ in range(6)]
    for _ in range(4):
        first.advance()
    first.save(tmp_path / "checkpoint.safetensors")
    second.go_on_from(tmp_path / "checkpoint.safetensors")
    assert second.step == 4
    assert [second.advance() for _ in range(2)] == gains[4:]
    for one, other in ((whole.network, second.network), (whole.average, second.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    one = course()
    one.advance()
    one.save(tmp_path / "checkpoint.safetensors")
    one.recipe = replace(RECIPE, rate=1e-4)
    with pytest.raises(ValueError, match="other settings"):
        one.go_on_from(tmp_path / "checkpoint.safetensors")


def test_the_pool_holds_the_last_worlds_however_it_came_there(pool):
    ground = scenes()
    step_by_step, at_once = (Pool(ground, worlds.shares_of(ground), 2, 5) for _ in range(2))
    for drawn_so_far in (2, 3, 4):
        step_by_step.fill(drawn_so_far)
    at_once.fill(4)
    for one, other in zip(step_by_step.lessons(), at_once.lessons()):
        assert all(map(torch.equal, one, other))
    # Numbers 2 and 3 of the larger pool's are the same worlds.
    assert torch.equal(pool.lessons()[3].answer, at_once.lessons()[1].answer)
