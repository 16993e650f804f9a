"""Faults put into runs of the real engine: each ends in a sentence, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from rasd_fusion import classFactory
from rasd_fusion.rasd_qgis.contract import errors
from rasd_fusion.rasd_qgis.contract.request import MOST_CHARACTERS, to_json
from rasd_fusion.rasd_qgis.engine_link import process

from .conftest import PHASES, Case, Watcher, engine_pids, footprint, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals, limits and /proc")
LONG = 1_000_000


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("phase", PHASES)
def test_an_engine_killed_in_any_phase_is_told_and_leaves_no_half_of_a_raster(case, phase):
    watcher = Watcher(PHASES[phase], lambda pid: os.kill(pid, signal.SIGKILL))
    steps = LONG if phase == "training" else 2
    outcome = case.outcome(watcher, training_steps=steps)
    if isinstance(outcome, errors.EngineCrashedError):
        assert "SIGKILL" in outcome.message
        case.check_nothing_left()
    else:  # it was quicker than the signal, which only the last phases may be
        assert phase in ("fusing", "writing")
        case.check_nothing_left("fused.tif")
        assert case.pixels().any()
    assert watcher.acted


def test_a_stopped_engine_goes_on_as_if_nothing_had_been(case):
    case.run(output=str(case.folder / "plain.tif"))

    def stop(pid):
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(4.0, os.kill, (pid, signal.SIGCONT)).start()

    began = time.monotonic()
    case.run(Watcher(PHASES["training"], stop))
    assert time.monotonic() - began > 4.0
    np.testing.assert_array_equal(case.pixels(), case.pixels("plain.tif"))
    case.check_nothing_left("fused.tif", "plain.tif")


def test_a_stopped_engine_can_be_cancelled(case):
    watcher, seen = Watcher(PHASES["training"]), []

    def stop(pid):
        seen.append(pid)
        os.kill(pid, signal.SIGSTOP)
        watcher.cancelled = True

    watcher._act = stop
    assert isinstance(case.error(watcher, training_steps=LONG), errors.Cancelled)
    assert gone(seen[0])


@pytest.mark.parametrize("phase", ["reading", "training", "fusing"])
def test_an_engine_that_gets_no_more_memory_says_so(case, phase):
    def starve(pid):
        with open(f"/proc/{pid}/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(pid, resource.RLIMIT_AS, (now + (32 << 20),) * 2)

    outcome = case.outcome(Watcher(PHASES[phase], starve), training_steps=20, tile_size=512)
    if isinstance(outcome, errors.RasdError):
        assert "memory" in str(outcome) or "SIG" in str(outcome)
        assert "foresaw" not in str(outcome)
        case.check_nothing_left()
    else:  # what it had was enough
        case.check_nothing_left("fused.tif")


def fill(folder) -> None:
    """Take what space is left, to the last byte."""
    with open(folder / "filler", "ab", buffering=0) as file:
        for size in (65_536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass


@pytest.mark.parametrize("phase", ["before", "training", "fusing", "writing"])
def test_a_disk_that_fills_up_in_any_phase_is_told(small_disk, phase):
    case = Case(small_disk(2 * 2**20))
    watcher = None
    if phase == "before":
        fill(case.folder)
    else:
        watcher = Watcher(PHASES[phase], lambda _: fill(case.folder))
    outcome = case.outcome(watcher, confidence=str(case.folder / "confidence.tif"))
    if isinstance(outcome, errors.RasdError):
        assert isinstance(outcome, errors.OutputError), outcome
        assert "space" in str(outcome)
        case.check_nothing_left()
    else:
        assert phase in ("fusing", "writing")  # all was written before the disk was full
        case.check_nothing_left("fused.tif", "confidence.tif")
        assert case.pixels().any()


def test_inputs_on_a_disk_that_cannot_be_written_are_read_and_left_alone(small_disk, tmp_path):
    case = Case(small_disk(2 * 2**20))
    subprocess.run(["mount", "-o", "remount,ro", str(case.folder)], check=True)
    assert case.run(output=str(tmp_path / "fused.tif"))["TRAINING_STEPS"] == 2
    error = case.error()
    assert isinstance(error, errors.OutputError)
    assert "cannot be written" in error.message


def truncate(path):
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 3)


def rewrite(path):
    data = path.read_bytes()
    path.write_bytes(data[:-5000] + os.urandom(5000))


@pytest.mark.parametrize("spoil", [truncate, rewrite])
@pytest.mark.parametrize("name", ["hs.tif", "ms.tif"])
def test_an_input_that_changes_under_the_run_is_told_or_was_read_before(case, spoil, name):
    case.run(output=str(case.folder / "plain.tif"))
    plain = case.pixels("plain.tif")
    watcher = Watcher(PHASES["training"], lambda _: spoil(case.folder / name))
    outcome = case.outcome(watcher, output=str(case.folder / "changed.tif"))
    if isinstance(outcome, errors.RasdError):
        assert isinstance(outcome, errors.InputError), outcome
        assert "changed while" in outcome.message or "truncated" in outcome.message
        case.check_nothing_left("plain.tif", changed=True)
    else:
        np.testing.assert_array_equal(case.pixels("changed.tif"), plain)
    assert watcher.acted


def test_an_input_deleted_under_the_run_is_told_or_was_read_before(case):
    case.run(output=str(case.folder / "plain.tif"))
    watcher = Watcher(PHASES["training"], lambda _: (case.folder / "ms.tif").unlink())
    outcome = case.outcome(watcher)
    if isinstance(outcome, errors.RasdError):
        assert isinstance(outcome, errors.InputError), outcome
        assert "ms.tif" in outcome.message
    else:
        np.testing.assert_array_equal(case.pixels(), case.pixels("plain.tif"))


def test_two_runs_to_one_output_leave_one_whole_result(case):
    outcomes = []

    def run():
        outcomes.append(case.outcome())

    case.run(output=str(case.folder / "plain.tif"))
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(isinstance(outcome, dict) for outcome in outcomes), outcomes
    assert all(isinstance(one, (dict, errors.OutputError)) for one in outcomes), outcomes
    np.testing.assert_array_equal(case.pixels(), case.pixels("plain.tif"))
    case.check_nothing_left("fused.tif", "plain.tif")


def another_version(request):
    return json.dumps({**json.loads(to_json(request)), "protocol": 99})


def malformed(request):
    return to_json(request)[:-7]


def enormous(request):
    return to_json(request)[:-1] + " " * MOST_CHARACTERS + "}"


@pytest.mark.parametrize("speak", [another_version, malformed, enormous])
def test_a_request_the_engine_does_not_take_is_told(case, monkeypatch, speak):
    monkeypatch.setattr(process, "to_json", speak)
    error = case.error()
    assert isinstance(error, errors.RequestError)
    assert len(str(error)) < 400


def test_starts_and_cancels_of_the_real_engine_leave_nothing(case):
    """`make soak` does two hundred."""

    def cancelled(seconds: float) -> None:
        watcher = Watcher()
        timer = threading.Timer(seconds, setattr, (watcher, "cancelled", True))
        timer.start()
        case.error(watcher, training_steps=LONG)
        timer.join()

    cancelled(0.05)
    before = footprint()
    for index in range(9):
        cancelled(0.02 * 2**index)
    assert wait_for(lambda: footprint() == before, 3.0), (before, footprint())
    assert engine_pids() == []


def test_starts_and_cancels_of_a_stub_leave_nothing(case):
    """`make soak` does ten thousand."""
    stub = case.folder / "python"
    stub.write_text('#!/bin/sh\necho \'{"event": "log", "text": "x"}\'\nexec cat >/dev/null\n')
    stub.chmod(0o755)
    case.inputs["python"] = stub.read_bytes()

    class Quick(Watcher):
        def pushInfo(self, info):
            self.cancelled = True

    def stubbed():
        with pytest.raises(errors.Cancelled):
            process.run_engine(case.request(), Quick(), stub)

    stubbed()
    before = footprint()
    for _ in range(300):
        stubbed()
    assert wait_for(lambda: footprint() == before, 3.0), (before, footprint())
    case.check_nothing_left()


def test_the_plugin_reloaded_during_a_run_ends_it_and_the_next_one_goes(case, qgis_app):
    plugin = classFactory(None)
    plugin.initProcessing()
    watcher, outcome = Watcher(PHASES["training"], lambda _: None), []

    def run():
        outcome.append(case.outcome(watcher, training_steps=LONG))

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_for(lambda: watcher.acted, 60.0)
    (pid,) = engine_pids()
    plugin.unload()
    thread.join(5.0)
    assert not thread.is_alive()
    assert isinstance(outcome[0], errors.Cancelled)
    assert "closed or upgraded" in str(outcome[0])
    assert gone(pid)
    case.check_nothing_left()
    again = classFactory(None)
    again.initProcessing()
    assert case.run()["TRAINING_STEPS"] == 2
    again.unload()
    assert wait_for(lambda: not engine_pids(), 3.0)


def test_no_duration_hangs_on_the_clock_of_the_day(root):
    """So a clock that is set back neither ends nor prolongs a run."""
    rooms = ("rasd_qgis/engine_link", "rasd_qgis/engine/service", "rasd_qgis/engine/scene")
    paths = [path for room in rooms for path in (root / room).rglob("*.py")]
    assert [path.name for path in paths if "time.time(" in path.read_text("utf-8")] == []
