"""The engine as a process: a request in, events out, gone at once when nobody listens any more."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from rasd_fusion.rasd_qgis.contract.events import Failure, Progress, Result, decode
from rasd_fusion.rasd_qgis.contract.request import (
    FuseRequest,
    ProbeRequest,
    RasterSource,
    to_json,
)

from .scenes import make_scene

# What QGIS allows an engine that was told to stop.
AT_ONCE_S = 2.0


@pytest.fixture
def start(root):
    """A function that starts an engine on a line; all are gone at the end."""
    begun = []

    def begin(line):
        entry = root / "rasd_qgis" / "engine" / "__main__.py"
        process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", str(entry)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        begun.append(process)
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


@pytest.fixture
def request_of(tmp_path):
    """A function that makes a request with every output, for a scene of that side."""

    def make(side=48, **settings):
        scene = make_scene(tmp_path, side)
        outputs = ("fused.tif", "confidence.tif", "model.safetensors")
        output, confidence, model_output = (str(tmp_path / name) for name in outputs)
        request = FuseRequest(
            "0123abcd",
            RasterSource(scene.write_hs()),
            RasterSource(scene.write_ms()),
            output,
            confidence,
            model_output=model_output,
            training_steps=2,
        )
        return replace(request, **settings)

    return make


def answer(process):
    """All events of an engine that is listened to until its end."""
    return [decode(line.decode()) for line in process.stdout]


def test_a_probe_tells_versions_and_devices(start):
    process = start(to_json(ProbeRequest()))
    *_, result = answer(process)
    assert isinstance(result, Result)
    assert result.values["devices"][-1] == "cpu"
    assert result.values["versions"].keys() >= {"torch", "rasterio", "gdal", "numpy", "python"}
    assert process.wait(10) == 0


def test_a_run_writes_its_outputs_and_says_events_alone(start, request_of, tmp_path):
    process = start(to_json(request_of()))
    events = answer(process)
    assert isinstance(events[-1], Result), events[-1]
    assert process.wait(10) == 0
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert {path.name for path in tmp_path.iterdir()} == {
        "hs.tif",
        "ms.tif",
        "fused.tif",
        "confidence.tif",
        "model.safetensors",
    }
    assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("line", ["", "rubbish", "{}", '{"protocol": 1, "task": "dance"}'])
def test_what_is_no_request_is_refused(start, line):
    process = start(line)
    *_, failure = answer(process)
    assert isinstance(failure, Failure)
    assert failure.kind == "request"
    assert process.wait(10) == 1


def test_a_refusal_is_a_sentence_and_exit_1(start, request_of, tmp_path):
    request = request_of()
    process = start(to_json(replace(request, multispectral=request.hyperspectral)))
    *_, failure = answer(process)
    assert (failure.kind, failure.detail) == ("input", "")
    assert "both the hyperspectral and the multispectral" in failure.message
    assert process.wait(10) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hs.tif", "ms.tif"]


def test_a_device_that_is_not_there_is_refused(start, request_of):
    probe = answer(start(to_json(ProbeRequest())))[-1]
    absent = next(name for name in ("mps", "xpu", "cuda") if name not in probe.values["devices"])
    *_, failure = answer(start(to_json(request_of(device=absent))))
    assert failure.kind == "device"
    assert "cpu" in failure.advice


PHASES = ["starting", "reading", "surveying", "training", "fusing", "writing"]


@pytest.mark.parametrize("phase", PHASES)
def test_the_end_of_its_input_ends_it_in_every_phase(start, request_of, tmp_path, phase):
    """So cancel, the plugin's unloading and the death of QGIS end it; nothing is left behind."""
    steps = 1_000_000 if phase == "training" else 1
    process = start(to_json(request_of(side=400, training_steps=steps)))
    for line in process.stdout:
        if json.loads(line).get("phase") == phase:
            break
    began = time.monotonic()
    process.stdin.close()
    process.wait(AT_ONCE_S)
    assert time.monotonic() - began < AT_ONCE_S
    assert process.returncode == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hs.tif", "ms.tif"]
