"""The engine's process, spoken to as engine_link does: it stays, and goes when it should."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rasd_fusion.rasd_qgis.contract.request import FuseRequest, ProbeRequest, RasterSource, to_json
from rasd_fusion.rasd_qgis.engine.service import memory
from rasd_fusion.rasd_qgis.engine.service.serve import Stay

from .scenes import make_scene

ENTRY = Path(memory.__file__).parents[1] / "__main__.py"
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Engine:
    """A running engine."""

    def __init__(self, *options: str):
        command = [sys.executable, "-I", "-X", "utf8", str(ENTRY), *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def send(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self, request) -> dict:
        """Send a request; the last event of its run."""
        self.send(to_json(request))
        return next(event for event in self.events() if event["event"] in ("result", "failure"))

    def events(self):
        return map(json.loads, self.process.stdout)

    def seconds_to_leave(self) -> float:
        began = time.monotonic()
        self.process.wait(30)
        return time.monotonic() - began


@pytest.fixture
def start():
    engines = []

    def started(*options: str) -> Engine:
        engines.append(Engine(*options))
        return engines[-1]

    yield started
    for engine in engines:
        engine.process.kill()
        engine.process.wait()
        engine.process.stdin.close()
        engine.process.stdout.close()


def missing_pair(folder: Path, **changes) -> FuseRequest:
    """A request that the engine refuses, because its rasters are not there."""
    return FuseRequest(
        run_id="0123456789abcdef",
        hyperspectral=RasterSource(str(folder / "no hs.tif")),
        multispectral=RasterSource(str(folder / "no ms.tif")),
        output=str(folder / "fused.tif"),
        **changes,
    )


def test_without_options_it_serves_one_request_and_goes(start):
    engine = start()
    assert engine.answer(ProbeRequest())["event"] == "result"
    assert engine.seconds_to_leave() < 2.0
    assert engine.process.returncode == 0


def test_it_stays_for_further_requests_and_after_the_analysts_mistakes(start, tmp_path):
    engine = start("--stay", "60", "--most-mib", "4096")
    refused = [engine.answer(missing_pair(tmp_path)) for _ in range(2)]
    assert [event["kind"] for event in refused] == ["input", "input"]
    assert engine.answer(ProbeRequest())["event"] == "result"
    assert engine.process.poll() is None
    engine.process.stdin.close()
    assert engine.seconds_to_leave() < 1.0
    assert engine.process.returncode == 0


def test_the_second_answer_waits_for_no_library(start):
    engine = start("--stay", "60", "--most-mib", "4096")
    times = []
    for _ in range(2):
        began = time.monotonic()
        engine.answer(ProbeRequest())
        times.append(time.monotonic() - began)
    assert times[1] < 0.5 * times[0]


def test_it_goes_when_no_request_comes_in_time(start):
    engine = start("--stay", "1.5", "--most-mib", "4096")
    engine.answer(ProbeRequest())
    assert 1.0 < engine.seconds_to_leave() < 6.0
    assert engine.process.returncode == 0


def test_it_goes_when_it_would_keep_too_much_memory(start):
    engine = start("--stay", "60", "--most-mib", "20")
    assert engine.answer(ProbeRequest())["event"] == "result"
    assert engine.seconds_to_leave() < 5.0
    assert engine.process.returncode == 0


@pytest.mark.parametrize("line", ["", "not JSON", '{"protocol": 0}'])
def test_it_goes_after_a_request_it_does_not_understand(start, line):
    engine = start("--stay", "60", "--most-mib", "4096")
    engine.send(line)
    (event,) = engine.events()
    assert event["kind"] == "request"
    assert engine.seconds_to_leave() < 5.0
    assert engine.process.returncode == 1


@posix
@pytest.mark.parametrize("served", [0, 1], ids=["cold", "warm"])
def test_the_end_of_its_input_ends_it_at_once_in_the_middle_of_a_run(start, tmp_path, served):
    """The run waits for a pipe that nobody writes to, as for a disk that hangs."""
    engine = start("--stay", "60", "--most-mib", "4096")
    for _ in range(served):
        engine.answer(ProbeRequest())
    mine = tmp_path / ".fused.rasd-0123456789abcdef.part.tif"
    other = tmp_path / ".fused.rasd-ffffffffffffffff.part.tif"
    mine.touch()
    other.touch()
    os.mkfifo(tmp_path / "no hs.tif")
    engine.send(to_json(missing_pair(tmp_path)))
    assert any(event.get("phase") == "reading" for event in engine.events())
    engine.process.stdin.close()
    assert engine.seconds_to_leave() < 2.0
    assert engine.process.returncode == 3
    assert not mine.exists()
    assert other.exists()


@posix
def test_no_signal_of_the_terminal_is_needed_to_end_an_idle_engine(start):
    engine = start("--stay", "60", "--most-mib", "4096")
    engine.answer(ProbeRequest())
    engine.process.send_signal(signal.SIGTERM)
    assert engine.seconds_to_leave() < 2.0


def test_memory_of_ones_own_is_seen_to_grow_and_given_back():
    memory.release()
    before = memory.own_mib()
    ballast = bytearray(os.urandom(1)) * (200 * 2**20)
    assert memory.own_mib() > before + 150
    del ballast
    memory.release()
    assert memory.own_mib() < before + 100


def faults_of_a_block_taken_again(*settings: str) -> int:
    """Pages that the system hands out for 64 MiB which the process has just freed."""
    lines = (
        "import ctypes, importlib.util, resource, sys",
        f"spec = importlib.util.spec_from_file_location('memory', {memory.__file__!r})",
        "memory = importlib.util.module_from_spec(spec)",
        "spec.loader.exec_module(memory)",
        *settings,
        "import torch",
        "def use(): torch.empty(2**24).fill_(1.0)",
        "use()",
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt",
        "use()",
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)",
    )
    command = [sys.executable, "-I", "-c", "\n".join(lines)]
    usual = {name: word for name, word in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    return int(subprocess.run(command, env=usual, capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_was_freed_is_used_again():
    assert faults_of_a_block_taken_again("memory.keep()") < 1000
    assert faults_of_a_block_taken_again() > 10_000


def test_the_bound_of_memory_decides_whether_to_stay():
    assert Stay(1.0, 1e9).holds()
    assert not Stay(1.0, 1.0).holds()
    assert not Stay(0.0, 1e9).holds()


def test_memory_that_cannot_be_told_counts_as_too_much(monkeypatch):
    monkeypatch.setattr(sys, "platform", "plan9")
    assert not Stay(1.0, 1e9).holds()


def imports_of_a_run(folder: Path, **settings) -> str:
    """What the engine imported for a run, as Python's -X importtime tells it."""
    scene = make_scene(folder)
    request = FuseRequest(
        run_id="0123456789abcdef",
        hyperspectral=RasterSource(scene.write_hs()),
        multispectral=RasterSource(scene.write_ms()),
        output=str(folder / "fused.tif"),
        **settings,
    )
    command = [sys.executable, "-I", "-X", "importtime", str(ENTRY)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write(to_json(request) + "\n")
        process.stdin.flush()
        told = process.stderr.read()
        assert '"event": "result"' in process.stdout.read()
    return told


def test_torchs_compiler_is_loaded_by_training_alone(tmp_path):
    """It takes one to two seconds of a cold start, and much that looks harmless loads it."""
    model = str(tmp_path / "model.safetensors")
    compiler = "torch._dynamo"
    assert compiler in imports_of_a_run(tmp_path, training_steps=1, model_output=model)
    assert compiler not in imports_of_a_run(tmp_path, model="file", model_file=model)
    assert compiler not in imports_of_a_run(tmp_path, training_steps=0)
