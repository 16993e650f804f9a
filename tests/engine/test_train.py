"""Training: repeatable, within its budget, on any size of scene, and it learns."""

from __future__ import annotations

import io

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.scene import train as room
from rasd_fusion.rasd_qgis.engine.scene.normalise import fit
from rasd_fusion.rasd_qgis.engine.scene.reduce import Reduced
from rasd_fusion.rasd_qgis.engine.scene.train import Budget, train
from rasd_fusion.rasd_qgis.engine.service.report import Phase, Reporter

BANDS, GUIDE = 5, 2
CPU = torch.device("cpu")


def lesson(height=24, width=24, seed=0):
    """A lesson with something to learn: what the start misses is a product of the guide's."""
    generator = torch.Generator().manual_seed(seed)
    guide = torch.randn(GUIDE, height, width, generator=generator)
    start = torch.randn(BANDS, height, width, generator=generator)
    miss = 0.3 * torch.linspace(0.5, 1, BANDS)[:, None, None] * (guide[0] * guide[1])
    valid = torch.ones(height, width, dtype=torch.bool)
    return Reduced(start + miss, start, guide, guide / 2, valid)


def trained(scene, budget, seed=0):
    units = fit(scene, torch.ones(BANDS, dtype=torch.bool))
    phase = Phase(Reporter(io.StringIO()), "training", 0.1, 0.7)
    return train(scene, units, budget, seed, CPU, phase)


def weights(result):
    return torch.cat([value.flatten() for value in result.network.state_dict().values()])


def test_the_same_seed_and_steps_give_the_same_weights(monkeypatch):
    monkeypatch.setattr(room._Course, "_look", keep_always)
    first, second = (trained([lesson()], Budget(9.0, 3), seed=7) for _ in range(2))
    other = trained([lesson()], Budget(9.0, 3), seed=8)
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def keep_always(course, step):
    """In place of a look at the rows kept out: the newest averaged weights are the best."""
    course.best_step = step
    course.best = {key: value.clone() for key, value in course.average.state_dict().items()}


def test_without_steps_the_network_adds_nothing():
    result = trained([lesson()], Budget(3.0, 0))
    start, guide = torch.randn(1, BANDS, 16, 16), torch.randn(1, 2 * GUIDE, 16, 16)
    assert torch.equal(result.network(start, guide, 0.5).image, start)
    assert (result.steps, result.best_step) == (0, 0)


def test_steps_override_minutes_and_minutes_end_it():
    assert trained([lesson()], Budget(0.0, 2)).steps == 2
    timed = trained([lesson()], Budget(0.01, None))
    assert timed.steps >= 1
    assert timed.seconds < 10
    assert trained([lesson()], Budget(0.0, None)).steps == 0


def test_it_ends_early_where_nothing_is_gained(monkeypatch):
    monkeypatch.setattr(room, "INTERVAL", 1)
    monkeypatch.setattr(room, "PATIENCE", 3)
    monkeypatch.setattr(room._Course, "_look", lambda *_: None)
    assert trained([lesson()], Budget(9.0, 50)).steps == 3


def test_it_learns_what_the_start_misses(monkeypatch):
    """On rows that it never saw: the averaged weights explain a part of the residual."""
    monkeypatch.setattr(room, "MEMORY", 5)
    monkeypatch.setattr(room, "INTERVAL", 10)
    result = trained([lesson()], Budget(9.0, 50))
    assert result.best_step > 0
    assert result.kept_out_loss < 0.97


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 16), (5, 40), (1, 90)])
def test_scenes_smaller_than_a_crop(height, width):
    assert trained([lesson(height, width)], Budget(9.0, 1)).steps == 1


def test_blocks_narrower_than_the_larger_crops(monkeypatch):
    """As of a long strip of ground: crops of large scenes are twice the least side."""
    monkeypatch.setattr(room, "FEW_PIXELS", 100)
    scene = [lesson(20, 40, seed) for seed in range(3)]
    assert trained(scene, Budget(9.0, 3)).steps == 3


def test_pixels_that_do_not_count_teach_nothing(monkeypatch):
    monkeypatch.setattr(room._Course, "_look", keep_always)
    clean, spoilt = lesson(), lesson()
    for part in (clean, spoilt):
        part.valid[5:9, 5:20] = False
    units = fit([clean], torch.ones(BANDS, dtype=torch.bool))
    spoilt.target[:, ~spoilt.valid] += 50.0
    results = []
    for part in (clean, spoilt):
        phase = Phase(Reporter(io.StringIO()), "training", 0.0, 1.0)
        results.append(train([part], units, Budget(9.0, 3), 0, CPU, phase))
    assert torch.equal(weights(results[0]), weights(results[1]))
