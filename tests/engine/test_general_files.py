"""Files of the network for any pair: what was stored comes back, and spoilt ones are refused."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from rasd_fusion.rasd_qgis.contract.errors import ModelFileError, RasdError
from rasd_fusion.rasd_qgis.engine.general.told import ANSWER
from rasd_fusion.rasd_qgis.engine.model.card import ANY, model_hash, read_model, write_model
from rasd_fusion.rasd_qgis.engine.model.obtain import BUNDLED

from .known import known
from .scenes import make_scene, run

BYTES = 8_000_000


@pytest.fixture(scope="module")
def pair():
    return known(12, noise=3.0)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, pair):
    """A model with its study of a pair, its card, and its file."""
    model, card = read_model(str(BUNDLED))
    path = tmp_path_factory.mktemp("model") / "fitted.safetensors"
    fitted = replace(model, study=pair.study())
    card = replace(card, hs_bands=12, guide_bands=4, wavelengths=[None] * 12, ratio=[4.0, 4.0])
    write_model(str(path), "0123abcd", fitted, card)
    return fitted, card, path


def rewritten(path, stored, card=None, **tensors):
    """The good file with other tensors (None: left out), or another card."""
    found = load_file(stored[2])
    with safe_open(stored[2], framework="pt") as file:
        header = dict(file.metadata())
    for name, tensor in tensors.items():
        found.pop(name.replace("__", "."), None)
        if tensor is not None:
            found[name.replace("__", ".")] = tensor
    if card is not None:
        header["card"] = json.dumps({**asdict(stored[1]), **card})
    path.write_bytes(save(found, header))
    return str(path)


def test_the_model_that_ships_is_small_and_for_any_pair():
    model, card = read_model(str(BUNDLED))
    assert BUNDLED.stat().st_size <= BYTES
    assert card.start == ANY and model.study is None
    assert card.recipe["training"] and card.recipe["validation"]
    assert (model.calibration > 0).all()


def test_a_fitted_model_comes_back_with_its_study(stored, pair):
    fitted, card, path = stored
    again, card_again = read_model(str(path))
    assert card_again == card
    assert model_hash(again) == model_hash(fitted) != model_hash(replace(fitted, study=None))
    for (name, one), (other_name, other) in zip(fitted.tensors().items(), again.tensors().items()):
        assert name == other_name
        assert torch.equal(one, other), name


@pytest.mark.parametrize(
    "change",
    [
        {"calibration": None},
        {"calibration": torch.ones(3)},
        {"calibration": torch.full((2,), math.nan)},
        {"calibration": torch.ones(2, dtype=torch.float64)},
        {"network__enter__weight": torch.zeros(3, 3)},
        {"network__other": torch.zeros(1)},
        {"study__mean": None},
        {"study__mean": torch.zeros(5)},
        {"study__basis": torch.zeros(12)},
        {"study__unit": torch.full((12,), math.nan)},
        {"study__error": torch.zeros(0)},
        {"study__track": torch.zeros(3, 3)},
        {"study__forms__points": torch.zeros(4, 10)},
        {"study__forms__posterior__response": torch.zeros(4, 2)},
        {"study__forms__posterior__guide_mean": torch.zeros(7)},
        {"study__brightness": torch.zeros(4)},
    ],
    ids=lambda change: "-".join(f"{name}={value}"[:45] for name, value in change.items()),
)
def test_tensors_that_do_not_belong_together_are_refused(tmp_path, stored, change):
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(rewritten(tmp_path / "model.safetensors", stored, **change))


@pytest.mark.parametrize(
    "card",
    [
        {"start": "elsewhere"},
        {"start": "scene"},
        {"hs_bands": 13},
        {"hs_bands": 13, "wavelengths": [None] * 13},
        {"guide_bands": 5},
        {"recipe": 3},
        {"ratio": [4.0]},
        {"shape": None},
    ],
    ids=str,
)
def test_a_card_that_contradicts_its_tensors_is_refused(tmp_path, stored, card):
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(rewritten(tmp_path / "model.safetensors", stored, card))


def test_a_network_that_answers_something_else_is_refused(tmp_path, stored):
    shape = {**stored[1].shape, "hs_bands": ANSWER + 1}
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(rewritten(tmp_path / "model.safetensors", stored, {"shape": shape}))


def test_spoilt_weights_end_in_a_sentence_or_in_possible_values(tmp_path, stored):
    scene = make_scene(tmp_path, 24)
    paths = scene.write_hs(), scene.write_ms()
    tensors = load_file(stored[2])
    outcomes = []
    for seed in range(8):
        rng = random.Random(seed)
        names = rng.sample([name for name in tensors if not name.startswith("study.")], 4)
        factor = rng.choice((0.0, -1.0, 1e10, 1e38))
        spoilt = {name.replace(".", "__"): tensors[name] * factor for name in names}
        model = rewritten(tmp_path / "model.safetensors", stored, **spoilt)
        try:
            result = run(tmp_path, *paths, model="file", model_file=model)
        except RasdError as error:
            outcomes.append(bool(error.message and error.advice))
        else:
            # The answer is bounded, whatever the weights.
            outcomes.append(abs(result.bands).max() < 1e6)
    assert all(outcomes)
