"""Teams: two processes that torchrun starts train one network, and stop and go on as one does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from rasd_fusion.rasd_qgis.contract.request import to_json
from rasd_fusion.rasd_qgis.engine.learning import team
from rasd_fusion.rasd_qgis.engine.learning.learn import _course, prepare
from rasd_fusion.rasd_qgis.engine.model.card import read_model
from rasd_fusion.rasd_qgis.engine.scene.checkpoint import checkpoint_path

from .courses import ENTRY, material, quiet, request

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not dist.is_available(), reason="needs gloo and signals"
)
# Beyond the first look, after 50 steps, where a checkpoint is left.
STEPS = 54


def start(*script) -> subprocess.Popen:
    """Two processes of a script, and torchrun above them."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*torchrun, *map(str, script)], env=environment, **pipes)


def start_training(made) -> subprocess.Popen:
    file = Path(made.model_output).with_suffix(".json")
    file.write_text(to_json(made))
    return start(ENTRY, "--request", file)


def ended(started) -> list[dict]:
    """The leader's events."""
    out, err = started.communicate(timeout=240)
    assert started.returncode == 0, err.decode()
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.slow
def test_two_processes_train_one_model_and_go_on_where_they_were_ended(tmp_path, small):
    whole, parted = (
        request(tmp_path, small, model_output=str(tmp_path / f"{name}.safetensors"), steps=STEPS)
        for name in ("whole", "parted")
    )
    events = ended(start_training(whole))
    assert [event["event"] for event in events].count("result") == 1
    assert events[-1]["values"]["STEPS"] == STEPS
    started, checkpoint = start_training(parted), checkpoint_path(parted.model_output)
    deadline = time.monotonic() + 200
    while not checkpoint.exists():
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.send_signal(signal.SIGTERM)
    started.communicate()
    assert not Path(parted.model_output).exists()
    said = ended(start_training(parted))
    assert any("goes on at step 50" in event.get("text", "") for event in said)
    one, other = (load_file(made.model_output) for made in (whole, parted))
    assert all(torch.equal(one[name], other[name]) for name in one | other)
    _, card = read_model(whole.model_output)
    assert (card.steps, card.recipe["processes"]) == (STEPS, 2)
    names = {f"{name}{end}" for name in ("whole", "parted") for end in (".json", ".safetensors")}
    curves = {f"{name}.loss{end}" for name in ("whole", "parted") for end in (".csv", ".png")}
    assert {path.name for path in tmp_path.iterdir()} == names | curves


AVERAGES = """
import runpy, sys, torch
names = runpy.run_path(sys.argv[1])
with names["team"](torch.device("cpu")) as team:
    weight = torch.nn.Linear(2, 2)
    weight.bias.requires_grad_(team.leads)
    (weight(torch.full((1, 2), 1.0 + team.rank)) * (1 + team.rank)).sum().backward()
    team.average(weight)
    assert (weight.weight.grad == (1 + 4) / 2).all(), weight.weight.grad
    assert (weight.bias.grad == 0.5).all(), weight.bias.grad
    assert team.agreed(0.25 + team.rank) == 0.25
"""


def test_gradients_are_averaged_and_the_leaders_word_holds(tmp_path):
    script = tmp_path / "averages.py"
    script.write_text(AVERAGES)
    ended(start(script, team.__file__))


def test_the_crops_of_an_epoch_are_dealt_out(tmp_path, references):
    """Each to one process; where there are fewer than processes some learn from the same one."""
    with ExitStack() as stack:
        pairs, blur, recipe = material(request(tmp_path, references, preset="paper-cave"), stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
        course = _course(study, recipe, 0, torch.device("cpu"))
    every = Counter(window for _, window in course._patches)
    for size in (2, 64):
        drawn = []
        for rank in range(size):
            course.room = replace(course.room, team=team.Team(rank, size))
            drawn.append([window for _, window in course._drawn()])
        dealt = Counter(window for windows in drawn for window in windows)
        assert set(dealt) == set(every)
        assert dealt == every or size > every.total()
        assert all(drawn)
