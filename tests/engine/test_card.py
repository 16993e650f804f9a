"""Model files: what was stored comes back; anything else is refused, and never run."""

from __future__ import annotations

import json
import math
import pickle
import struct
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load, save

from rasd_fusion.models import RASDConfig, RASDFuNet
from rasd_fusion.rasd_qgis.contract.errors import ModelFileError, OutputError
from rasd_fusion.rasd_qgis.engine.model.card import Card, model_hash, read_model, write_model
from rasd_fusion.rasd_qgis.engine.scene.network import SceneNetwork
from rasd_fusion.rasd_qgis.engine.scene.normalise import Units

BANDS, GUIDE, COMPONENTS = 6, 2, 4
RUN = "0123abcd"


def make(seed=0):
    torch.manual_seed(seed)
    config = RASDConfig(COMPONENTS, 2 * GUIDE, channels=8, stages=1)
    miss = torch.rand(BANDS) + 0.1
    miss[3] = math.inf
    units = Units(
        torch.randn(BANDS),
        miss,
        torch.linalg.qr(torch.randn(BANDS, COMPONENTS)).Q,
        *(torch.rand(n) + 0.1 for n in (COMPONENTS,)),
        torch.randn(GUIDE),
        torch.rand(GUIDE) + 0.1,
        torch.rand(GUIDE) + 0.1,
    )
    gains, response = torch.randn(GUIDE, BANDS), torch.randn(1 + COMPONENTS, GUIDE)
    card = Card(
        shape=config.to_dict(),
        hs_bands=BANDS,
        guide_bands=GUIDE,
        wavelengths=[400.0 + 50 * band for band in range(BANDS - 1)] + [None],
        ratio=[4.0, 3.3],
        psf_sigma=0.42,
        seed=seed,
        steps=12,
        figures={"best_step": 10, "kept_out_loss": 0.8},
        made_by={"torch": torch.__version__},
    )
    return SceneNetwork(RASDFuNet(config).eval(), units, gains, response), card


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def stored(path):
    """The bytes of a good file."""
    write_model(str(path), RUN, *make())
    return path.read_bytes()


def rewritten(path, stored, card=None, **tensors):
    """The good file with other tensors (None: left out), or another card."""
    found = load(stored)
    header_bytes = struct.unpack("<Q", stored[:8])[0]
    header = json.loads(stored[8 : 8 + header_bytes])["__metadata__"]
    for name, tensor in tensors.items():
        name = name.replace("__", ".")
        found.pop(name, None)
        if tensor is not None:
            found[name] = tensor
    if card is not None:
        header["card"] = card if isinstance(card, str) else json.dumps(card)
    path.write_bytes(save(found, header))


def test_a_model_and_its_card_come_back(path, stored):
    model, card = make()
    again, card_again = read_model(str(path))
    assert card_again == card
    assert model_hash(again) == model_hash(model) != model_hash(make(1)[0])
    start, guide = torch.randn(1, COMPONENTS, 16, 16), torch.randn(1, 2 * GUIDE, 16, 16)
    assert torch.equal(
        again.network(start, guide, 0.3).image, model.network(start, guide, 0.3).image
    )
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match=r"m\.safetensors cannot be written"):
        write_model(str(tmp_path / "none" / "m.safetensors"), RUN, *make())
    (tmp_path / "m.safetensors").mkdir()
    with pytest.raises(OutputError):
        write_model(str(tmp_path / "m.safetensors"), RUN, *make())
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


class Bomb:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a model file was unpickled",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        pickle.dumps(Bomb()),
        b"PK\x03\x04 a torch archive",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 20_000) + b"[" * 20_000,
    ],
)
def test_what_is_no_model_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        read_model(str(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(ModelFileError):
            read_model(str(path))


def test_a_file_too_large_is_not_even_read(path):
    with path.open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(ModelFileError, match="too large"):
        read_model(str(path))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(path, stored, keep):
    path.write_bytes(stored[: int(keep * len(stored))])
    with pytest.raises(ModelFileError):
        read_model(str(path))


@pytest.mark.parametrize(
    "card", ["", "null", "[]", "{}", '{"shape": {}}', "[" * 100_000, '"text"', "NaN"]
)
def test_a_card_of_another_kind_is_refused(path, stored, card):
    rewritten(path, stored, card=card)
    with pytest.raises(ModelFileError, match=r"no card|damaged"):
        read_model(str(path))


def shape(**changes):
    return {"shape": {**make()[1].shape, **changes}}


@pytest.mark.parametrize(
    "change",
    [
        {"hs_bands": BANDS + 1},
        {"guide_bands": "2"},
        {"wavelengths": None},
        {"wavelengths": [1.0] * BANDS + [2.0]},
        {"wavelengths": ["red"] * BANDS},
        {"ratio": [4.0]},
        {"ratio": [4.0, 0.0]},
        {"ratio": [math.nan, 4.0]},
        {"psf_sigma": 1e9},
        {"psf_sigma": "wide"},
        {"psf_sigma": math.nan},
        {"psf_sigma": None},
        {"steps": "many"},
        {"seed": []},
        {"figures": 3},
        shape(channels=16),
        shape(channels=2**30),
        shape(stages=10**9),
        shape(terms=10**9),
        shape(heads=10**9),
        shape(hs_bands=10**12),
        shape(stages=-1),
        shape(other=1),
        {"shape": 7},
    ],
    ids=str,
)
def test_a_card_that_contradicts_its_file_is_refused_without_taking_memory(path, stored, change):
    rewritten(path, stored, card={**asdict(make()[1]), **change})
    with pytest.raises(ModelFileError, match=r"damaged|no card"):
        read_model(str(path))


@pytest.mark.parametrize(
    "change",
    [
        {"gains": None},
        {"gains": torch.zeros(GUIDE, BANDS + 1)},
        {"gains": torch.full((GUIDE, BANDS), math.nan)},
        {"gains": torch.zeros(GUIDE, BANDS, dtype=torch.float64)},
        {"gains": torch.zeros(GUIDE, BANDS, dtype=torch.int32)},
        {"response": torch.full((1 + COMPONENTS, GUIDE), math.inf)},
        {"units__miss": torch.full((BANDS,), math.nan)},
        {"units__miss": torch.zeros(BANDS)},
        {"units__guide_spread": torch.zeros(GUIDE)},
        {"units__component_spread": -torch.ones(COMPONENTS)},
        {"units__other": torch.zeros(1)},
        {"network__enter__weight": torch.zeros(3, 3)},
        {"network__enter__weight": None},
        {"network__other": torch.zeros(1)},
    ],
    ids=lambda change: "-".join(f"{name}={value}"[:40] for name, value in change.items()),
)
def test_tensors_that_are_not_the_cards_are_refused(path, stored, change):
    rewritten(path, stored, **change)
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(str(path))


def pair(bands=BANDS, guide=GUIDE, ratio=(4.0, 3.3), wavelengths=None):
    known = make()[1].wavelengths if wavelengths is None else wavelengths
    return SimpleNamespace(
        hs=SimpleNamespace(
            name="cube", count=bands, spectral=SimpleNamespace(wavelengths=tuple(known))
        ),
        ms=SimpleNamespace(name="guide", count=guide),
        rows=SimpleNamespace(ratio=ratio[0]),
        cols=SimpleNamespace(ratio=ratio[1]),
    )


@pytest.mark.parametrize(
    "fitting",
    [
        pair(),
        pair(ratio=(4.05, 3.25)),
        pair(wavelengths=(None,) * BANDS),
        pair(wavelengths=[402.0, 451.0, 499.0, 550.0, 600.0, 9e9]),
    ],
)
def test_a_pair_like_the_models_is_taken(fitting):
    make()[1].refuse_other(fitting)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (pair(bands=7), "for 6 hyperspectral bands, but cube has 7"),
        (pair(guide=3), "for 2 multispectral bands, but guide has 3"),
        (pair(ratio=(2.0, 3.3)), "of 3.3 × 4 guide pixels, but here they are 3.3 × 2"),
        (pair(ratio=(4.0, 6.6)), "but here they are 6.6 × 4"),
        (pair(wavelengths=[400.0, 480.0] + [None] * 4), "band 2 is at 450.0 nm.* 480.0 nm"),
    ],
)
def test_another_pair_is_refused_by_what_differs(other, sentence):
    with pytest.raises(ModelFileError, match=sentence):
        make()[1].refuse_other(other)


def test_a_card_without_wavelengths_fits_any():
    card = replace(make()[1], wavelengths=[None] * BANDS)
    card.refuse_other(pair())
