"""rasd:train and rasd:confidencemap inside QGIS, and a trained model in rasd:fuse."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from processing.gui.Postprocessing import handleAlgorithmResults
from qgis.core import (
    QgsPalettedRasterRenderer,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingParameterDefinition,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
)

from .conftest import GUIDE_BANDS, read, run, scene, write_raster

SIDE = 24


@dataclass
class Ground:
    """References of a small scene, and what is asked of them."""

    folder: Path
    references: list[str]

    def train(self, **changes) -> dict:
        usual = {
            "REFERENCES": self.references,
            "RESPONSE": "random",
            "RANDOM_BANDS": GUIDE_BANDS,
            "TRAINING_STEPS": 3,
            "MODEL_OUTPUT": str(self.folder / "model.safetensors"),
        }
        return {**usual, **changes}


@pytest.fixture
def ground(tmp_path) -> Ground:
    paths = []
    for seed in range(2):
        part = np.rint(scene(seed))[:, :SIDE, :SIDE].astype("uint16")
        paths.append(str(write_raster(tmp_path / f"reference{seed}.tif", part, 10.0)))
    return Ground(tmp_path, paths)


@pytest.fixture
def train(provider):
    return provider.algorithm("train").create()


@pytest.fixture
def maps(provider):
    return provider.algorithm("confidencemap").create()


@pytest.fixture
def trained(fuse, pair, context, feedback, engine) -> str:
    """The model that a training on the pair's own scene ends with."""
    model = str(pair.folder / "scene.safetensors")
    run(fuse, pair.values(MODEL="scene", MODEL_OUTPUT=model, SEED=3), context, feedback)
    return model


def asked(pair, model) -> dict:
    """What is asked of rasd:confidencemap."""
    return {
        "INPUT_HS": str(pair.hs),
        "INPUT_MS": str(pair.ms),
        "MODEL_FILE": str(model),
        "FOLDER": str(pair.folder / "maps"),
    }


@pytest.mark.parametrize("name", ["train", "confidencemap"])
def test_the_toolbox_tells_what_they_do(provider, name):
    algorithm = provider.algorithm(name).create()
    assert algorithm.displayName()
    assert len(algorithm.shortHelpString()) > 500
    assert len(algorithm.tags()) > 5
    assert not algorithm.icon().isNull()
    assert Path(algorithm.svgIconPath()).is_file()
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    hidden = [p.name() for p in algorithm.parameterDefinitions() if p.flags() & advanced]
    assert "DEVICE" in hidden
    assert not {"REFERENCES", "MODEL_OUTPUT", "MODEL_FILE", "ROUTING_RATIOS"} & set(hidden)


def test_a_model_is_trained_and_used_on_a_pair(
    train, fuse, ground, pair, context, feedback, engine
):
    results = run(train, ground.train(), context, feedback)
    assert (results["STEPS"], results["IMAGES"]) == (3, 2)
    for name in ("MODEL_OUTPUT", "LOSS_TABLE", "LOSS_CURVE"):
        assert Path(results[name]).stat().st_size > 80
    assert not list(ground.folder.glob("*checkpoint*"))
    assert not list(ground.folder.glob(".*"))
    values = pair.values(MODEL="file", MODEL_FILE=results["MODEL_OUTPUT"])
    fused = read(run(fuse, values, context, feedback)["OUTPUT"])
    spread = np.abs(fused.astype(float) - scene())
    assert spread.mean() < 0.1 * scene().std()


def test_ready_pairs_and_layers_of_the_project(train, pair, context, feedback, engine):
    hs, ms = (QgsRasterLayer(str(path), path.stem) for path in (pair.hs, pair.ms))
    context.project().addMapLayers([hs, ms], False)
    values = {
        "INPUTS_HS": [hs.id()],
        "INPUTS_MS": [ms],
        "TRAINING_STEPS": 2,
        "MODEL_OUTPUT": str(pair.folder / "m.safetensors"),
    }
    results = run(train, values, context, feedback)
    assert results["IMAGES"] == 1


REFUSED = [
    ({"REFERENCES": []}, "nothing to train on"),
    ({"REFERENCES": ["nowhere.tif"]}, "REFERENCES: “nowhere.tif” cannot be opened"),
    ({"MODEL_OUTPUT": "model.pt"}, "safetensors"),
    ({"INPUTS_HS": ["{0}"]}, "make no pairs"),
    ({"RESPONSE": "table"}, "no table"),
    ({"RATIO": 4, "KERNEL_SIZE": 5}, "even kernel"),
    ({"LAYOUT": "kave"}, "LAYOUT: “kave” is none of cave, icvl, kaist."),
    ({"LAYOUT": 3}, "LAYOUT: “3” is none of cave, icvl, kaist."),
]


@pytest.mark.parametrize(("changes", "word"), REFUSED)
def test_what_cannot_be_trained_on_is_refused_before_the_engine(
    train, ground, context, looks_ready, changes, word
):
    filled = {
        name: [one.replace("{0}", ground.references[0]) for one in value]
        if isinstance(value, list)
        else value
        for name, value in changes.items()
    }
    fine, sentence = train.checkParameterValues(ground.train(**filled), context)
    assert not fine
    assert word in sentence


def test_a_choice_may_be_told_by_its_number_as_the_command_line_offers(
    train, ground, context, looks_ready
):
    words = {"RESPONSE": "random", "PRESET": "paper-icvl", "PHASE": "published"}
    numbers = {"RESPONSE": "2", "PRESET": 2, "PHASE": "1"}
    assert train.prepare(ground.train(**numbers), context, QgsProcessingFeedback())
    request = train._request
    assert {name: getattr(request, name.lower()) for name in words} == words


def test_what_the_engine_refuses_ends_the_run_with_its_sentence(
    train, ground, context, feedback, engine
):
    values = ground.train(RESPONSE="sensor")
    _, done = train.run(values, context, feedback)
    assert not done
    assert "does not tell the wavelengths" in str(feedback.errors)
    assert not Path(values["MODEL_OUTPUT"]).exists()


def test_cancelled_training_leaves_its_checkpoint_and_goes_on(
    train, provider, ground, context, feedback, engine
):
    values = ground.train(TRAINING_STEPS=100_000)
    checkpoint = ground.folder / "model.checkpoint.safetensors"

    def cancel():
        deadline = time.monotonic() + 240
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        feedback.cancel()

    waiting = threading.Thread(target=cancel)
    waiting.start()
    _, done = train.run(values, context, feedback)
    waiting.join()
    assert not done
    assert checkpoint.exists()
    assert not Path(values["MODEL_OUTPUT"]).exists()
    assert not list(ground.folder.glob(".*"))
    again = type(feedback)()
    results = run(
        provider.algorithm("train").create(),
        {**values, "TRAINING_STEPS": 60},
        context,
        again,
    )
    assert results["STEPS"] >= 60
    assert not checkpoint.exists()


def test_maps_of_several_ratios(maps, fuse, pair, trained, context, feedback):
    folder, seen = pair.folder / "maps", str(pair.folder / "seen.tif")
    asked_of = pair.values(MODEL="file", MODEL_FILE=trained, CONFIDENCE=seen)
    told = run(fuse, asked_of, context, feedback)["LOW_RANK_SHARE"]
    values = {
        "INPUT_HS": str(pair.hs),
        "INPUT_MS": str(pair.ms),
        "MODEL_FILE": trained,
        "ROUTING_RATIOS": "0, 0.5; 1",
        "FOLDER": str(folder),
    }
    results = run(maps, values, context, feedback)
    assert sorted(path.name for path in folder.glob("*.tif")) == [
        "confidence_r0.5.tif",
        "confidence_r0.tif",
        "confidence_r1.tif",
        "routing_r0.5.tif",
        "routing_r0.tif",
        "routing_r1.tif",
    ]
    shares = [float(share) for share in results["LOW_RANK_SHARES"].split(",")]
    routing = [read(path) for path in results["ROUTING_LAYERS"]]
    assert [set(np.unique(one)) for one in routing] == [{0}, {0, 1}, {1}]
    np.testing.assert_allclose(shares, [0.0, told, 1.0], atol=1e-5)
    assert 0.4 < shares[1] < 0.5
    dataset = gdal.Open(results["ROUTING_LAYERS"][1])
    assert dataset.GetRasterBand(1).DataType == gdal.GDT_Byte
    assert dataset.GetRasterBand(1).GetNoDataValue() == 255
    # On so little ground the training ends as the bundled model, which has two stages.
    names = [
        dataset.GetRasterBand(band + 1).GetDescription() for band in range(dataset.RasterCount)
    ]
    scales = "full scale", "1/8 scale"
    assert names == [f"stage {stage}, {scale}" for stage in (1, 2) for scale in scales]
    np.testing.assert_allclose(read(folder / "confidence_r0.5.tif"), read(seen), atol=1e-6)


def test_maps_arrive_in_the_project_styled(maps, pair, trained, context, feedback):
    values = {**asked(pair, trained), "ROUTING_RATIOS": "0.3,0.9"}
    context.project().removeAllMapLayers()
    run(maps, values, context, feedback)
    assert handleAlgorithmResults(maps, context, feedback, False, {})
    layers = {layer.name(): layer for layer in context.project().mapLayers().values()}
    title = pair.hs.stem
    assert set(layers) == {
        f"{title} {kind} at r = {ratio}"
        for kind in ("confidence", "routing")
        for ratio in ("0.3", "0.9")
    }
    renderer = layers[f"{title} routing at r = 0.3"].renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    labels = [one.label for one in renderer.classes()]
    assert labels == ["attention branch", "low-rank branch"]
    ramp = layers[f"{title} confidence at r = 0.9"].renderer()
    assert isinstance(ramp, QgsSingleBandPseudoColorRenderer)
    groups = [group.name() for group in context.project().layerTreeRoot().findGroups()]
    assert groups == [f"RASD Fusion: {title}"]
    assert (pair.folder / "maps/routing_r0.3.qml").is_file()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"ROUTING_RATIOS": "half"}, "are not all numbers"),
        ({"ROUTING_RATIOS": "1.5"}, "routing ratio"),
        ({"ROUTING_RATIOS": "0.5,0.5"}, "twice"),
        ({"INPUT_HS": "nowhere.tif"}, "cannot be opened"),
    ],
)
def test_maps_that_cannot_be_made_are_refused(maps, pair, context, looks_ready, changes, word):
    model = pair.folder / "m.safetensors"
    model.write_bytes(b"no model")
    values = {**asked(pair, model), **changes}
    fine, sentence = maps.checkParameterValues(values, context)
    assert not fine
    assert word in sentence


def test_a_file_that_is_no_model_is_refused(maps, pair, context, feedback, engine):
    model = pair.folder / "m.safetensors"
    model.write_bytes(b"no model")
    values = asked(pair, model)
    _, done = maps.run(values, context, feedback)
    assert not done
    assert "is not a model file" in str(feedback.errors)
    assert not list((pair.folder / "maps").iterdir())


def test_the_maps_are_outputs_that_models_can_use(maps):
    outputs = {one.name(): one for one in maps.outputDefinitions()}
    assert isinstance(outputs["ROUTING_LAYERS"], QgsProcessingOutputMultipleLayers)
    assert {"CONFIDENCE", "ROUTING", "LOW_RANK_SHARES", "FOLDER"} <= set(outputs)


@pytest.mark.slow
def test_both_by_qgis_process(root, ground, pair, engine):
    """As a user types them: train, then map what the model does on a pair."""
    model = str(ground.folder / "by_process.safetensors")
    references = [f"REFERENCES={path}" for path in ground.references]
    call(
        root,
        "rasd:train",
        *references,
        "RESPONSE=random",
        f"RANDOM_BANDS={GUIDE_BANDS}",
        "TRAINING_STEPS=2",
        f"MODEL_OUTPUT={model}",
    )
    folder = pair.folder / "maps"
    results = call(
        root,
        "rasd:confidencemap",
        f"INPUT_HS={pair.hs}",
        f"INPUT_MS={pair.ms}",
        f"MODEL_FILE={model}",
        "ROUTING_RATIOS=0.3,0.7",
        f"FOLDER={folder}",
    )
    assert len(results["LOW_RANK_SHARES"].split(",")) == 2
    assert set(np.unique(read(folder / "routing_r0.7.tif"))) == {0, 1}


def call(root, algorithm, *values) -> dict:
    command = [sys.executable, str(root / "tools/qgis_process"), "--json", "run", algorithm, "--"]
    done = subprocess.run([*command, *values], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout[done.stdout.index("{") :])["results"]
