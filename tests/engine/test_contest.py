"""A network trained on the scene is kept only where it betters the one that ships by a margin."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rasd_fusion.rasd_qgis.engine.model import contest, obtain
from rasd_fusion.rasd_qgis.engine.model.card import read_model

from .scenes import make_scene, run

SIDE = 48


@pytest.fixture
def judged(monkeypatch):
    """Trainings are judged as in the product; what the judge was told."""
    heard = []

    def judge(trained, shipped_error):
        heard.append((trained.kept_out_loss, shipped_error))
        return contest.is_worth(trained, shipped_error)

    monkeypatch.setattr(obtain, "is_worth", judge)
    return heard


@pytest.mark.parametrize("steps", [0, 2])
def test_a_training_that_found_nothing_ends_as_the_bundled_model(tmp_path, judged, steps):
    scene = make_scene(tmp_path, SIDE)
    pair = scene.write_hs(), scene.write_ms()
    trained = run(tmp_path, *pair, training_steps=steps)
    shipped = run(tmp_path, *pair, model="bundled")
    assert np.array_equal(trained.bands, shipped.bands)
    assert any("bundled model" in warning for warning in trained.warnings) == bool(steps)
    assert trained.values["TRAINING_STEPS"] == steps
    assert shipped.values["TRAINING_STEPS"] == read_model(str(obtain.BUNDLED))[1].steps > 2
    ((own, other),) = judged
    assert own == 1.0 and 0 < other < 10


@pytest.mark.parametrize(
    ("own", "step", "kept"), [(0.79, 25, True), (0.81, 25, False), (0.1, 0, False)]
)
def test_training_is_kept_by_a_margin(own, step, kept):
    trained = SimpleNamespace(best_step=step, kept_out_loss=own)
    assert contest.is_worth(trained, 1.0) is kept


def test_a_model_file_of_a_lost_training_is_the_bundled_model(tmp_path, judged):
    scene = make_scene(tmp_path, SIDE)
    pair, model = (scene.write_hs(), scene.write_ms()), str(tmp_path / "model.safetensors")
    first = run(tmp_path, *pair, training_steps=2, model_output=model)
    again = run(tmp_path, *pair, model="file", model_file=model)
    assert np.array_equal(first.bands, again.bands)
