"""rasd:fuse with the real engine, which stays warm between runs and goes when it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProcessingContext

from rasd_fusion.rasd_qgis.engine_link import child as children
from rasd_fusion.rasd_qgis.engine_link import environment, warm

from .conftest import Feedback, read

pytestmark = [
    pytest.mark.usefixtures("engine", "alone"),
    pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's"),
]


@pytest.fixture
def alone():
    """No engine is warm before a test, nor after it."""
    warm.stop()
    yield
    warm.stop()


def engines() -> set[int]:
    return {child.process.pid for child in children._living}


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_for(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def run(fuse, pair, context, **changes) -> str:
    """A run without training; the path of the fused raster."""
    feedback = Feedback()
    values = pair.values(**{"TRAINING_STEPS": 0, **changes})
    _, done = fuse.create().run(values, context, feedback)
    assert done, feedback.errors
    return values["OUTPUT"]


def test_a_warm_engine_gives_the_pixels_of_a_cold_one(fuse, pair, context):
    def both(name: str) -> list[np.ndarray]:
        model = str(pair.folder / f"{name}.safetensors")
        trained = str(pair.folder / f"{name}.tif")
        again = str(pair.folder / f"{name}_again.tif")
        training = {"MODEL": "scene", "TRAINING_STEPS": 4, "SEED": 3, "MODEL_OUTPUT": model}
        run(fuse, pair, context, OUTPUT=trained, **training)
        run(fuse, pair, context, OUTPUT=again, MODEL="file", MODEL_FILE=model)
        return [read(trained), read(again)]

    cold = both("cold")
    (pid,) = engines()
    assert warm.process_id() == pid
    run(fuse, pair, context, MODEL="scene", TRAINING_STEPS=2, SEED=9, ROUTING_RATIO=0.8)
    warmed = both("warm")
    assert engines() == {pid}
    for one, other in zip(cold, warmed):
        np.testing.assert_array_equal(one, other)


def test_after_a_refusal_the_same_engine_serves_the_next_run(fuse, pair, context):
    run(fuse, pair, context)
    pid, feedback = warm.process_id(), Feedback()
    _, done = fuse.create().run(pair.values(EXTENT="0,10,0,10 [EPSG:32632]"), context, feedback)
    assert not done
    assert feedback.errors
    run(fuse, pair, context)
    assert warm.process_id() == pid


def test_an_idle_engine_that_is_killed_harms_no_run(fuse, pair, context):
    run(fuse, pair, context)
    pid = warm.process_id()
    os.kill(pid, signal.SIGKILL)
    run(fuse, pair, context)
    assert warm.process_id() not in (pid, None)
    assert not exists(pid)


def test_the_engine_goes_when_it_was_idle_for_long_enough(fuse, pair, context, monkeypatch):
    monkeypatch.setattr(warm, "STAY_S", 1.0)
    run(fuse, pair, context)
    pid = warm.process_id()
    assert exists(pid)
    assert wait_for(lambda: not exists(pid), 10.0)
    assert wait_for(lambda: not engines(), 2.0)
    run(fuse, pair, context)


def test_an_engine_that_would_keep_too_much_memory_goes_after_its_run(
    fuse, pair, context, monkeypatch
):
    monkeypatch.setattr(warm, "MOST_MIB", 50.0)
    run(fuse, pair, context)
    assert wait_for(lambda: not engines(), 10.0)
    run(fuse, pair, context)


def test_an_idle_engine_keeps_far_less_memory_than_its_bound(fuse, pair, context):
    for _ in range(4):
        run(fuse, pair, context)
    _, resident, shared = Path(f"/proc/{warm.process_id()}/statm").read_text().split()[:3]
    mib = (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert mib < 0.5 * warm.MOST_MIB


def test_cancel_ends_a_warm_engine_and_the_next_run_is_as_good(fuse, pair, context):
    run(fuse, pair, context)
    pid, feedback = warm.process_id(), Feedback()
    threading.Timer(1.0, feedback.cancel).start()
    values = pair.values(MODEL="scene", TRAINING_STEPS=1_000_000)
    values["OUTPUT"] = str(pair.folder / "cancelled.tif")
    _, done = fuse.create().run(values, context, feedback)
    assert not done
    assert not exists(pid)
    assert not engines()
    assert [path.name for path in pair.folder.glob("*cancelled*")] in (
        [],
        ["cancelled.tif.rasd-resume"],
    )
    run(fuse, pair, context)
    assert warm.process_id() is not None


def test_runs_in_several_threads_have_an_engine_each(fuse, pair, context):
    run(fuse, pair, context)
    outcomes = {}

    def batch(index: int) -> None:
        own, feedback = QgsProcessingContext(), Feedback()
        path = str(pair.folder / f"batch{index}.tif")
        values = pair.values(TRAINING_STEPS=3, OUTPUT=path)
        outcomes[path] = fuse.create().run(values, own, feedback)[1]

    threads = [threading.Thread(target=batch, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(engines()))
        time.sleep(0.02)
    assert most == 2
    assert list(outcomes.values()) == [True, True]
    first, second = map(read, outcomes)
    np.testing.assert_array_equal(first, second)
    assert wait_for(lambda: engines() == {warm.process_id()}, 5.0)


def test_unloading_the_provider_ends_the_idle_engine(fuse, pair, context):
    run(fuse, pair, context)
    pid = warm.process_id()
    children.stop_all()
    assert not exists(pid)


def test_qgis_process_does_not_wait_for_its_idle_engine(root, engine, pair, monkeypatch):
    """It ends soon after the output stands, and the engine with it."""
    monkeypatch.setenv(environment.VARIABLE, str(environment.engine_home()))
    mark = f"RASD_FUSION_TEST={pair.folder}"
    monkeypatch.setenv(*mark.split("="))
    tool = [sys.executable, str(root / "tools" / "qgis_process"), "run", "rasd:fuse", "--"]
    values = pair.values(TRAINING_STEPS=0)
    command = tool + [f"{name}={value}" for name, value in values.items()]
    seen = set()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            seen |= marked_engines(mark)
            time.sleep(0.05)
        words = process.stderr.read()
    after = time.time() - os.stat(values["OUTPUT"]).st_mtime
    assert process.returncode == 0, words
    assert after < 20.0
    assert len(seen) == 1
    assert wait_for(lambda: not marked_engines(mark), 2.0)


def marked_engines(mark: str) -> set[int]:
    """The engines that carry this variable in their environment."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            surroundings = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        is_engine = any(word.endswith(b"rasd_qgis/engine/__main__.py") for word in command)
        if is_engine and mark.encode() in surroundings:
            found.add(int(folder.name))
    return found
