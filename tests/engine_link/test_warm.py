"""The warm engine: it serves the next run, whatever happened to it meanwhile, and only that."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
import time

import pytest

from rasd_fusion.rasd_qgis.contract import errors
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine_link import child as children
from rasd_fusion.rasd_qgis.engine_link import warm
from rasd_fusion.rasd_qgis.engine_link.process import run_engine

from .conftest import Recorder
from .test_process import is_alive, posix, wait_for

# It does what the name of a request's layer tells it to do before it answers.
SERVER = """
    for served, line in enumerate(sys.stdin, 1):
        values = {"pid": os.getpid(), "served": served, "argv": sys.argv[1:]}
        answer = {"event": "result", "values": values}
        say(event="progress", phase="work", fraction=0.5)
        exec(json.loads(line)["hyperspectral"]["name"])
        say(**answer)
"""


class Server:
    """A stub that stays for the next request."""

    def __init__(self, stub):
        self.stub = stub
        self.entry = stub.write(SERVER)

    def run(self, order: str = "", feedback: Recorder | None = None) -> dict:
        source = RasterSource("hs.tif", name=order)
        request = dataclasses.replace(self.stub.request, hyperspectral=source)
        return run_engine(request, feedback or Recorder(), sys.executable, self.entry)


@pytest.fixture
def server(stub) -> Server:
    return Server(stub)


def footprint() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def test_the_second_run_is_served_by_the_process_of_the_first(server):
    first, second = server.run(), server.run()
    assert second["pid"] == first["pid"] == warm.process_id()
    assert (first["served"], second["served"]) == (1, 2)


def test_the_engine_is_told_how_long_to_stay_and_with_how_much_memory(server):
    assert server.run()["argv"] == ["--stay", "120", "--most-mib", "1024"]


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_idle_engine_that_was_killed_is_cleaned_up_and_replaced(server, number):
    before = footprint()
    first = server.run()
    os.kill(first["pid"], number)
    assert wait_for(lambda: footprint() == before, 2.0), (before, footprint())
    assert not children._living
    assert warm.process_id() is None
    assert server.run()["served"] == 1


@posix
def test_an_engine_killed_at_the_very_moment_of_the_next_run_is_no_failure(server):
    for _ in range(20):
        pid = server.run()["pid"]
        os.kill(pid, signal.SIGKILL)
        assert server.run()["pid"] != pid


def test_an_engine_that_goes_on_reading_a_request_is_replaced(server):
    entry = server.stub.write("""
        sys.stdin.readline()
        say(event="result", values={"pid": os.getpid()})
        sys.stdin.readline()
    """)
    first = server.stub.run_again(entry)
    assert server.stub.run_again(entry)["pid"] != first["pid"]


@posix
def test_a_stopped_engine_is_replaced(server, monkeypatch):
    monkeypatch.setattr("rasd_fusion.rasd_qgis.engine_link.process.WARM_WORD_S", 0.3)
    first = server.run()
    os.kill(first["pid"], signal.SIGSTOP)
    second = server.run()
    assert second["pid"] != first["pid"]
    assert not is_alive(first["pid"])
    assert server.run()["pid"] == second["pid"]


@posix
def test_a_crash_in_the_middle_of_a_warm_run_is_told_and_not_tried_again(server):
    # Two pipes keep no order between them: the words have to arrive before the result does.
    words = "sys.stderr.write('of the first run'); sys.stderr.flush(); time.sleep(0.5)"
    pid = server.run(words)["pid"]
    with pytest.raises(errors.EngineCrashedError, match="SIGSEGV") as caught:
        server.run("sys.stderr.write('x'); sys.stderr.flush(); os.kill(os.getpid(), 11)")
    assert caught.value.stderr_tail == "x"
    assert not is_alive(pid)
    assert server.run()["served"] == 1


def test_runs_at_once_have_an_engine_each_and_one_stays(server):
    warm_pid = server.run()["pid"]
    values, gate = [], server.stub.folder / "gate"
    order = f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    feedbacks = [Recorder(), Recorder(), Recorder()]

    def run(feedback):
        values.append(server.run(order, feedback))

    threads = [threading.Thread(target=run, args=(feedback,)) for feedback in feedbacks]
    for thread in threads:
        thread.start()
    assert wait_for(lambda: all(feedback.progress for feedback in feedbacks), 10.0)
    gate.touch()
    for thread in threads:
        thread.join(10.0)
    pids = {one["pid"] for one in values}
    assert len(pids) == 3
    assert warm_pid in pids
    assert wait_for(lambda: sum(map(is_alive, pids)) == 1, 2.0)
    assert is_alive(warm.process_id())
    assert {child.process.pid for child in children._living} == {warm.process_id()}


def test_cancel_ends_the_warm_engine_and_the_next_run_starts_another(server):
    pid = server.run()["pid"]
    feedback = Recorder()
    feedback.cancel_when = lambda: bool(feedback.progress)
    with pytest.raises(errors.Cancelled):
        server.run("time.sleep(60)", feedback)
    assert time.monotonic() - feedback.cancelled_at < 2.0
    assert not is_alive(pid)
    assert server.run()["served"] == 1


@pytest.mark.parametrize(
    ("kind", "stays"), [("input", True), ("output", True), ("error", False), ("device", False)]
)
def test_only_failures_that_are_the_analysts_leave_the_engine_warm(server, kind, stays):
    pid = server.run()["pid"]
    order = f"answer = dict(event='failure', kind={kind!r}, message='no', advice='', detail='')"
    with pytest.raises(errors.RasdError, match="no"):
        server.run(order)
    assert is_alive(pid) == stays


def test_an_engine_that_garbles_its_output_is_not_used_again(server):
    first = server.run("print('hello from a library', flush=True)")
    assert not is_alive(first["pid"])
    assert server.run()["pid"] != first["pid"]


def test_what_an_idle_engine_says_disqualifies_it(server):
    entry = server.stub.write("""
        sys.stdin.readline()
        say(event="result", values={"pid": os.getpid()})
        time.sleep(0.1)
        say(event="result", values={"pid": -1})
        sys.stdin.read()
    """)
    first = server.stub.run_again(entry)
    time.sleep(0.4)
    assert server.stub.run_again(entry)["pid"] not in (first["pid"], -1)


def test_an_engine_of_another_environment_folder_or_program_is_not_used(server, monkeypatch):
    pids = [server.run()["pid"]]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    pids.append(server.run()["pid"])
    monkeypatch.chdir(server.stub.folder)
    pids.append(server.run()["pid"])
    os.utime(server.entry, (1, 1))
    pids.append(server.run()["pid"])
    assert len(set(pids)) == 4
    assert wait_for(lambda: sum(map(is_alive, pids)) == 1, 2.0)


@pytest.mark.parametrize(
    "path", ["pyvenv.cfg", warm.STAMP, "lib/python3.11/site-packages", "bin/python"]
)
def test_the_venv_is_part_of_an_engines_identity(tmp_path, path):
    python = tmp_path / "bin" / "python"
    for file in ("pyvenv.cfg", warm.STAMP, "bin/python", "lib/python3.11/site-packages/torch"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    before = warm.identity(python, "entry.py")
    assert warm.identity(python, "entry.py") == before
    os.utime(tmp_path / path, (1, 1))
    assert warm.identity(python, "entry.py") != before


@pytest.mark.parametrize("path", ["rasd_qgis/engine/requirements.txt", "models/scan/kernels.py"])
def test_the_engines_own_program_is_part_of_its_identity(tmp_path, monkeypatch, path):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(warm, "_ROOT", tmp_path)
    before = warm.identity(sys.executable, "entry.py")
    os.utime(file, (1, 1))
    assert warm.identity(sys.executable, "entry.py") != before


def test_unloading_the_plugin_ends_the_idle_engine(server):
    pid = server.run()["pid"]
    start = time.monotonic()
    children.stop_all()
    assert not is_alive(pid)
    assert time.monotonic() - start < 1.0
    assert wait_for(lambda: not children._living, 2.0)
    assert warm.process_id() is None


def test_a_run_that_ends_after_the_plugin_was_unloaded_keeps_nothing(server):
    def stop_at_the_end(values):
        children.stop_all()

    feedback = Recorder()
    feedback.setProgress = stop_at_the_end
    with pytest.raises(errors.Cancelled):
        server.run("time.sleep(60)", feedback)
    assert warm.process_id() is None
    assert not children._living


def test_fifty_runs_leave_no_descriptor_thread_or_process(server):
    server.run()
    before = footprint()
    orders = ["", "raise SystemExit(3)", "print('garbage', flush=True)", "", "os.abort()"]
    for index in range(50):
        order = orders[index % len(orders)]
        try:
            server.run(order)
        except errors.EngineCrashedError:
            assert order
    server.run()
    assert wait_for(lambda: footprint() == before, 2.0), (before, footprint())
    assert len(children._living) == 1
