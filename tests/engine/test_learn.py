"""rasd:train in the engine: a model comes out, and a stopped training goes on."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from safetensors.torch import load_file

from rasd_fusion.rasd_qgis.contract.errors import ModelFileError
from rasd_fusion.rasd_qgis.contract.events import decode
from rasd_fusion.rasd_qgis.contract.request import (
    RasterSource,
    SimulateRequest,
    TrainRequest,
    to_json,
)
from rasd_fusion.rasd_qgis.engine.learning import course as course_room
from rasd_fusion.rasd_qgis.engine.learning.learn import prepare, train
from rasd_fusion.rasd_qgis.engine.model.card import read_model
from rasd_fusion.rasd_qgis.engine.scene.checkpoint import checkpoint_path
from rasd_fusion.rasd_qgis.engine.service.report import Reporter
from rasd_fusion.rasd_qgis.engine.simulate import simulate

from .courses import ENTRY, GUIDE_BANDS, SIDE, Stop, Stopping, material, quiet, request
from .scenes import BANDS, FINE, Ground, centres, run, write

pytestmark = pytest.mark.usefixtures("look_often")


def test_a_model_is_trained_and_fuses_a_pair_of_those_sensors(tmp_path, references):
    values = train(request(tmp_path, references), quiet())
    _, card = read_model(str(tmp_path / "model.safetensors"))
    assert (card.hs_bands, card.guide_bands, card.ratio) == (BANDS, GUIDE_BANDS, [4.0, 4.0])
    assert (card.start, card.steps, values["STEPS"], values["IMAGES"]) == ("pair", 6, 6, 2)
    assert card.recipe["trained_on"] == ["r0.tif", "r1.tif"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.loss.csv",
        "model.loss.png",
        "model.safetensors",
    ]
    pair = [str(tmp_path / name) for name in ("hs.tif", "ms.tif")]
    x, y = centres(FINE, SIDE, SIDE)
    truth = Ground(4.0, 7).at(x, y)
    reference = RasterSource(write(tmp_path / "truth.tif", truth.astype("float32")))
    simulate(
        SimulateRequest("0123abcd", reference, *pair, response="random", random_bands=3), quiet()
    )
    fused = run(tmp_path, *pair, model="file", model_file=str(tmp_path / "model.safetensors"))
    error = np.abs(fused.bands - truth)[:, 8:-8, 8:-8].mean()
    with rasterio.open(pair[0]) as dataset:
        coarse = dataset.read().repeat(4, 1).repeat(4, 2)
    assert error < 0.6 * np.abs(coarse - truth)[:, 8:-8, 8:-8].mean()


def test_the_gains_of_a_trained_model_are_those_of_the_pair_at_hand(tmp_path, references):
    """The references' second ground has other spectra: with the first one's gains it would fail."""
    train(request(tmp_path, references[:1], steps=2), quiet())
    model, _ = read_model(str(tmp_path / "model.safetensors"))
    with ExitStack() as stack:
        pairs, blur, recipe = material(request(tmp_path, references), stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
    first, second = (subject.gains for subject in study.subjects)
    torch.testing.assert_close(model.gains, first)
    assert (first - second).abs().max() > 0.1 * first.abs().max()


@pytest.mark.parametrize("preset", ["laptop", "paper-cave"])
def test_stopped_training_goes_on_to_the_same_weights(tmp_path, small, preset):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = request(tmp_path / "a", small, preset=preset, ratio=4.0)
    train(whole, quiet())
    parted = request(tmp_path / "b", small, preset=preset, ratio=4.0)
    with pytest.raises(Stop):
        train(parted, Reporter(Stopping(4)))
    assert checkpoint_path(parted.model_output).exists()
    said = io.StringIO()
    train(parted, Reporter(said))
    assert "goes on at step 4" in said.getvalue()
    one, other = (load_file(made.model_output) for made in (whole, parted))
    assert set(one) == set(other)
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    assert not checkpoint_path(parted.model_output).exists()
    steps = [[row["step"] for row in table(made)] for made in (whole, parted)]
    assert steps[0] == steps[1] == ["2", "4", "6"]


def table(made: TrainRequest) -> list[dict[str, str]]:
    path = Path(made.model_output).with_name("model.loss.csv")
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.slow
def test_killed_training_goes_on_to_the_same_weights(tmp_path, small):
    """The real engine, killed by a signal that it cannot answer, after its first checkpoint."""
    steps = course_room_interval() + 4
    whole = request(tmp_path, small, model_output=str(tmp_path / "a.safetensors"), steps=steps)
    killed = request(tmp_path, small, model_output=str(tmp_path / "b.safetensors"), steps=steps)
    engine = start(killed)
    deadline = time.monotonic() + 240
    while not checkpoint_path(killed.model_output).exists():
        assert engine.poll() is None, engine.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate()
    assert not Path(killed.model_output).exists()
    for made in (killed, whole):
        out, err = start(made).communicate(timeout=240)
        assert decode(out.splitlines()[-1]).values["STEPS"] == steps, err.decode()
    assert b"goes on at step" not in out
    one, other = (load_file(made.model_output) for made in (whole, killed))
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def course_room_interval() -> int:
    """As the engine has it; the tests' own is shorter."""
    text = Path(course_room.__file__).read_text()
    return int(text.split("\nINTERVAL = ")[1].split()[0])


def start(made: TrainRequest) -> subprocess.Popen:
    command = [sys.executable, "-I", "-X", "utf8", str(ENTRY)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    engine = subprocess.Popen(command, env=environment, **pipes)
    engine.stdin.write((to_json(made) + "\n").encode())
    engine.stdin.flush()
    # Left open: the engine takes its end for that of whoever asked.
    kept, engine.stdin = engine.stdin, None
    engine.lifeline = kept
    return engine


def test_another_training_s_checkpoint_is_refused_and_can_be_left(tmp_path, small):
    with pytest.raises(Stop):
        train(request(tmp_path, small), Reporter(Stopping(2)))
    with pytest.raises(ModelFileError, match="other images or settings"):
        train(request(tmp_path, small, seed=1), quiet())
    path = checkpoint_path(str(tmp_path / "model.safetensors"))
    before = path.read_bytes()
    path.write_bytes(before[: len(before) // 2])
    with pytest.raises(ModelFileError, match="is damaged"):
        train(request(tmp_path, small), quiet())
    values = train(request(tmp_path, small, seed=1, steps=2, resume=False), quiet())
    assert values["STEPS"] == 2
    assert not path.exists()


def test_a_longer_budget_goes_on_too(tmp_path, small):
    with pytest.raises(Stop):
        train(request(tmp_path, small, steps=4), Reporter(Stopping(2)))
    said = io.StringIO()
    assert train(request(tmp_path, small, steps=5), Reporter(said))["STEPS"] == 5
    assert "goes on at step 2" in said.getvalue()


def test_minutes_are_a_budget_that_counts_what_came_before(tmp_path, small):
    with pytest.raises(Stop):
        train(request(tmp_path, small, steps=None, minutes=10.0), Reporter(Stopping(2)))
    path = checkpoint_path(str(tmp_path / "model.safetensors"))
    with pytest.raises(ModelFileError):
        train(request(tmp_path, small, preset="paper-icvl", ratio=4.0), quiet())
    assert path.exists()
    values = train(request(tmp_path, small, steps=None, minutes=0.001), quiet())
    assert values["STEPS"] == 2


def test_a_model_worse_than_its_start_is_told_as_such(tmp_path, small):
    stream = io.StringIO()
    made = request(tmp_path, small, preset="paper-cave", ratio=4.0, steps=1)
    assert train(made, Reporter(stream))["VALIDATION_SHARE"] > 1
    assert "worse than the image it starts from" in stream.getvalue()


def test_the_curve_is_a_table_and_a_picture(tmp_path, small):
    made = request(tmp_path, small)
    train(made, quiet())
    rows = table(made)
    assert list(rows[0]) == ["step", "seconds", "rate", "training", "validation", "share"]
    assert all(float(row["training"]) > 0 < float(row["validation"]) for row in rows)
    rates = [float(row["rate"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    with rasterio.open(tmp_path / "model.loss.png") as dataset:
        colours = {tuple(pixel) for pixel in dataset.read().reshape(3, -1).T[::3].tolist()}
    assert {(31, 119, 180), (214, 90, 20), (255, 255, 255)} <= colours


def test_the_checkpoint_holds_no_code(tmp_path, small):
    """A header of JSON and plain numbers: what opens it need trust nobody."""
    with pytest.raises(Stop):
        train(request(tmp_path, small), Reporter(Stopping(2)))
    data = checkpoint_path(str(tmp_path / "model.safetensors")).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    kinds = {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    assert kinds <= {"F32", "F64", "I64"}
