"""Requests of rasd:train and rasd:confidencemap come back as they went; nonsense is refused."""

from __future__ import annotations

import pytest

from rasd_fusion.rasd_qgis.contract.errors import RequestError
from rasd_fusion.rasd_qgis.contract.leftovers import remove_leftovers
from rasd_fusion.rasd_qgis.contract.request import (
    ConfidenceRequest,
    RasterSource,
    TrainRequest,
    from_json,
    to_json,
)

ONE, TWO = RasterSource("a.tif"), RasterSource("b.tif", nodata_ranges=(((0.0, 1.0),),), name="b")


def train(**changes) -> TrainRequest:
    usual = {"run_id": "0123abcd", "model_output": "m.safetensors", "references": (ONE,)}
    return TrainRequest(**{**usual, **changes})


def confidence(**changes) -> ConfidenceRequest:
    usual = {
        "run_id": "0123abcd",
        "hyperspectral": ONE,
        "multispectral": TWO,
        "model_file": "m.safetensors",
        "folder": "maps",
    }
    return ConfidenceRequest(**{**usual, **changes})


@pytest.mark.parametrize(
    "request_made",
    [
        train(),
        train(references=(ONE, TWO), preset="paper-icvl", steps=3, resume=False, phase="published"),
        train(references=(), folder="CAVE", layout="cave", ratio=8.0, kernel_size=8, minutes=2.5),
        train(references=(), hyperspectral=(ONE, ONE), multispectral=(TWO, TWO)),
        train(response="table", table="t.csv", bands=("B2",), psf_sigma=0.375),
        confidence(),
        confidence(ratios=(0.0, 0.3, 1.0), extent=(0, 0, 1, 1), psf_sigma=0.4),
    ],
)
def test_a_request_comes_back_as_it_went(request_made):
    line = to_json(request_made)
    assert "\n" not in line
    assert from_json(line) == request_made


@pytest.mark.parametrize(
    ("make", "changes", "word"),
    [
        (train, {"references": ()}, "nothing to train on"),
        (train, {"references": ("a.tif",)}, "raster sources"),
        (train, {"model_output": "model.pth"}, "safetensors"),
        (train, {"hyperspectral": (ONE,)}, "make no pairs"),
        (train, {"hyperspectral": (ONE,) * 2, "multispectral": (TWO,) * 2}, "1 references"),
        (
            train,
            {"references": (), "folder": "f", "hyperspectral": (ONE,), "multispectral": (TWO,)},
            "Both pairs and",
        ),
        (train, {"layout": "pavia"}, "layout"),
        (train, {"preset": "server"}, "preset"),
        (train, {"minutes": -1.0}, "training time"),
        (train, {"steps": 0}, "training steps"),
        (train, {"resume": "yes"}, "Resume"),
        (train, {"ratio": 1.0}, "ratio"),
        (train, {"ratio": 8.0, "kernel_size": 7}, "even kernel"),
        (train, {"response": "table"}, "no table"),
        (train, {"psf_sigma": 11.0}, "PSF"),
        (train, {"seed": -1}, "seed"),
        (confidence, {"ratios": ()}, "1 to 16"),
        (confidence, {"ratios": (0.5, 0.5)}, "twice"),
        (confidence, {"ratios": (1.5,)}, "routing ratio"),
        (confidence, {"hyperspectral": None}, "raster source"),
        (confidence, {"folder": ""}, "folder"),
        (confidence, {"tile_size": 8}, "tile size"),
    ],
)
def test_nonsense_is_refused_in_its_own_words(make, changes, word):
    with pytest.raises(RequestError, match=word):
        make(**changes)


def test_what_a_run_leaves_behind_is_removed(tmp_path):
    for request in (
        train(model_output=str(tmp_path / "m.safetensors")),
        confidence(folder=str(tmp_path)),
    ):
        (tmp_path / ".m.rasd-0123abcd.part.safetensors").touch()
        (tmp_path / ".m.rasd-fedcba98.part.safetensors").touch()
        remove_leftovers(request)
        kept = [path.name for path in tmp_path.iterdir()]
        assert kept == [".m.rasd-fedcba98.part.safetensors"]
