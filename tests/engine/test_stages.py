"""Stages: errors leave their threads, no more is made than asked for, and no memory is told."""

from __future__ import annotations

import _thread
import json
import subprocess
import sys

import pytest

from rasd_fusion.rasd_qgis.contract.request import ProbeRequest, to_json
from rasd_fusion.rasd_qgis.engine.service import stages
from rasd_fusion.rasd_qgis.engine.service.stages import Behind, ahead

from .courses import ENTRY

limits = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc")


def test_an_error_of_a_stage_is_raised_in_the_loop_and_ends_its_threads():
    before = _thread._count()
    with pytest.raises(ZeroDivisionError):
        for _ in ahead(lambda x: 1 / x, [2, 1, 0, 1]):
            pass
    with pytest.raises(ZeroDivisionError), Behind() as behind:
        behind.call(lambda: 1 / 0)
    assert _thread._count() == before


def test_a_stage_ahead_makes_no_more_than_was_asked_for():
    made = []
    results = ahead(lambda x: made.append(x) or x, range(10), depth=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()
    assert made == list(range(len(made))) and len(made) <= 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_thread_that_dies_is_not_waited_for(monkeypatch):
    """As one does that finds no memory between two calls."""
    monkeypatch.setattr(stages, "LOOK_SECONDS", 0.01)
    worker = stages.Worker()
    worker._calls.put(())  # no call: the thread cannot go on
    with pytest.raises(MemoryError):
        worker.answer()
    worker.close()


# Tries to begin a stage with so many KiB of address space left beyond a thread's stack.
TRY = """
import os, resource, sys
from importlib import util
spec = util.spec_from_file_location("stages", sys.argv[1])
stages = util.module_from_spec(spec)
spec.loader.exec_module(stages)
stages.LOOK_SECONDS = 0.02
stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
for more in range(-8, 64, 4):
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + stack + more * 1024,) * 2)
        try:
            for _ in stages.ahead(abs, [1, 2, 3]):
                pass
            os._exit(0)
        except MemoryError as error:
            os._exit(2 if "begin" in str(error) else 1)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@limits
def test_a_thread_that_finds_no_memory_at_its_start_is_not_waited_for():
    import resource

    if resource.getrlimit(resource.RLIMIT_STACK)[0] > 2**26:
        pytest.skip("stacks are not of the size that the limit says")
    command = [sys.executable, "-I", "-c", TRY, stages.__file__]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    codes = set(done.stdout.split())
    assert {"1", "2"} <= codes <= {"0", "1", "2"}, done


@limits
@pytest.mark.parametrize("left", [0, 16, 100])
def test_an_engine_without_address_space_says_so_and_ends_with_1(left):
    """In MiB, when it begins: less than torch's libraries map."""
    import resource

    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-I", "-X", "utf8", str(ENTRY)], **pipes) as engine:
        engine.stdin.write(to_json(ProbeRequest()).encode() + b"\n")
        engine.stdin.flush()
        assert json.loads(engine.stdout.readline())["phase"] == "starting"
        with open(f"/proc/{engine.pid}/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.prlimit(engine.pid, resource.RLIMIT_AS, (used + left * 2**20,) * 2)
        last = json.loads(engine.stdout.readlines()[-1])
        assert engine.wait(30) == 1
    assert (last["event"], last["kind"]) == ("failure", "device")
    assert last["message"] == "The engine ran out of memory."
