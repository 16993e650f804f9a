"""Every way the engine's process can end, told apart; nothing of it stays behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from rasd_fusion.rasd_qgis.contract import errors
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine_link import child as children
from rasd_fusion.rasd_qgis.engine_link import process
from rasd_fusion.rasd_qgis.engine_link.process import run_engine

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def is_alive(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_events_reach_the_feedback_and_the_result_its_caller(stub):
    values = stub.run("""
        request = json.loads(sys.stdin.readline())
        say(event="progress", phase="read", fraction=0.25)
        say(event="progress", phase="train", fraction=0.5, text="step 1")
        say(event="log", text="grüße")
        say(event="warn", text="beware")
        say(event="result", values={"MODEL_HASH": request["run_id"]})
    """)
    assert values == {"MODEL_HASH": stub.request.run_id}
    assert stub.feedback.progress == [25.0, 50.0]
    assert stub.feedback.texts == ["read", "step 1"]
    assert stub.feedback.infos == ["grüße"]
    assert stub.feedback.warnings == ["beware"]
    assert wait_for(lambda: not children._living, 2.0)


def test_stdin_stays_open_as_long_as_the_run(stub):
    values = stub.run("""
        import select
        sys.stdin.readline()
        ended, _, _ = select.select([0], [], [], 0.5)
        say(event="result", values={"ended": bool(ended)})
    """)
    assert values == {"ended": False}


CANCELS = {
    "obeys": "sys.stdin.read()",
    "ignores the end of stdin": "time.sleep(60)",
    "ignores signals too": """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(60)
    """,
    "has children of its own": """
        inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open(folder + "/inner.pid", "w").write(str(inner.pid))
        time.sleep(60)
    """,
    "floods its output": """
        while True:
            say(event="log", text="x" * 1000)
    """,
}


@posix
@pytest.mark.parametrize("body", CANCELS.values(), ids=CANCELS.keys())
def test_cancel_within_two_seconds_leaves_no_process_and_no_file(stub, body):
    mine = stub.folder / ".fused.rasd-0123456789abcdef.part.tif"
    others = stub.folder / ".fused.rasd-fedcba9876543210.part.tif"
    others.touch()
    pid_file = stub.folder / "engine.pid"
    stub.feedback.cancel_when = lambda: pid_file.exists() and pid_file.stat().st_size > 0
    with pytest.raises(errors.Cancelled):
        stub.run(
            f"folder = {str(stub.folder)!r}\n"
            + textwrap.dedent(f"""
            sys.stdin.readline()
            say(event="progress", phase="train", fraction=0.1)
            open({str(mine)!r}, "w").close()
            open({str(pid_file)!r}, "w").write(str(os.getpid()))
            """)
            + textwrap.dedent(body)
        )
    assert time.monotonic() - stub.feedback.cancelled_at < 2.0
    pids = [int(path.read_text()) for path in stub.folder.glob("*.pid")]
    assert pids
    assert wait_for(lambda: not any(map(is_alive, pids)), 1.0)
    assert not mine.exists()
    assert others.exists()


@posix
def test_cancel_while_the_engine_does_not_even_read_its_request(stub):
    stub.request = dataclasses.replace(
        stub.request, hyperspectral=RasterSource("hs.tif", crs_wkt="x" * 5_000_000)
    )
    start = time.monotonic()
    stub.feedback.cancel_when = lambda: time.monotonic() > start + 0.5
    with pytest.raises(errors.Cancelled):
        stub.run("time.sleep(60)")
    assert time.monotonic() - stub.feedback.cancelled_at < 2.0


def test_a_run_cancelled_before_it_starts_starts_nothing(stub):
    stub.feedback.cancel_when = lambda: True
    with pytest.raises(errors.Cancelled):
        stub.run(f"open({str(stub.folder / 'started')!r}, 'w')")
    assert not (stub.folder / "started").exists()


@posix
@pytest.mark.parametrize(
    ("number", "advice"), [("SIGSEGV", "rasd:setupengine"), ("SIGKILL", "out of memory")]
)
def test_a_crash_by_signal_names_it_and_brings_the_last_words(stub, number, advice):
    with pytest.raises(errors.EngineCrashedError, match=number) as caught:
        stub.run(f"""
            sys.stderr.write("my last words\\n"); sys.stderr.flush()
            os.kill(os.getpid(), signal.{number})
        """)
    assert caught.value.stderr_tail == "my last words"
    assert "my last words" in str(caught.value)
    assert advice in str(caught.value)


@posix
@pytest.mark.parametrize(("task", "advice"), [("fuse", "TILE_SIZE"), ("train", "fewer images")])
def test_a_killed_run_is_advised_by_what_its_algorithm_has(task, advice):
    told = process._advice(-signal.SIGKILL, "", task)
    assert advice in told
    assert ("TILE_SIZE" in told) == (task == "fuse")


def test_an_uncaught_exception_brings_its_traceback(stub):
    with pytest.raises(errors.EngineCrashedError, match="exit status 1") as caught:
        stub.run("import a_library_that_is_not_there")
    assert "ModuleNotFoundError" in caught.value.stderr_tail
    assert "rasd:setupengine" in caught.value.advice


@pytest.mark.parametrize("body", ["pass", "sys.exit(0)", "os.close(1); time.sleep(60)"])
def test_an_end_without_a_result_is_no_success(stub, body):
    start = time.monotonic()
    with pytest.raises(errors.EngineCrashedError, match="without a result"):
        stub.run(body)
    assert time.monotonic() - start < 4.0


def test_garbage_on_stdout_is_logged_and_harms_nothing(stub):
    values = stub.run(r"""
        out = sys.stdout.buffer
        out.write(b"\xff\xfe not UTF-8 \x00\n")
        out.write(b"hello from a library\n" + b"x" * 3_000_000 + b"\n\n\n")
        out.write(b'{"event": "progress", "fraction": 7, "phase": "x"}\n{"event": "resu\n')
        out.flush()
        say(event="result", values={"ok": 1})
    """)
    assert values == {"ok": 1}
    assert "hello from a library" in stub.feedback.debug
    assert any("not UTF-8" in line for line in stub.feedback.debug)
    assert stub.feedback.progress == []
    assert max(map(len, stub.feedback.debug)) <= 2000


def test_a_flood_on_stderr_neither_stalls_nor_fills_memory(stub):
    with pytest.raises(errors.EngineCrashedError) as caught:
        stub.run(r"""
            for _ in range(500):
                sys.stderr.buffer.write(b"\xff" * 100_000)
            sys.stderr.write("the end"); sys.stderr.flush()
            sys.exit(3)
        """)
    assert caught.value.stderr_tail.endswith("the end")
    assert len(caught.value.stderr_tail) <= children.TAIL_BYTES
    assert "exit status 3" in str(caught.value)


def test_the_engines_own_error_comes_through_as_itself(stub):
    with pytest.raises(errors.InputError) as caught:
        stub.run("""
            say(event="failure", kind="input", message="No overlap.", advice="Move.", detail="Tb")
            sys.exit(1)
        """)
    assert str(caught.value) == "No overlap. Move."
    assert stub.feedback.debug == ["Tb"]


def test_a_result_counts_although_the_engine_crashes_on_its_way_out(stub):
    assert stub.run('say(event="result", values={"a": 1}); os.abort()') == {"a": 1}


@posix
def test_an_engine_that_clings_after_its_result_is_ended(stub, monkeypatch):
    monkeypatch.setattr("rasd_fusion.rasd_qgis.engine_link.process.EXIT_GRACE_S", 0.3)
    values = stub.run("""
        print("garbage, so that nobody keeps it", flush=True)
        say(event="result", values={"pid": os.getpid()})
        time.sleep(60)
    """)
    assert wait_for(lambda: not is_alive(values["pid"]), 1.0)


def test_a_python_that_is_not_there_is_a_broken_engine(stub):
    with pytest.raises(errors.EngineBrokenError, match="rasd:setupengine"):
        run_engine(stub.request, stub.feedback, stub.folder / "no" / "python")


@posix
def test_a_python_that_cannot_be_executed_is_a_broken_engine(stub):
    fake = stub.folder / "python"
    fake.write_text("not a program")
    with pytest.raises(errors.EngineBrokenError, match="cannot be started"):
        run_engine(stub.request, stub.feedback, fake)
    fake.chmod(0o755)
    with pytest.raises(errors.EngineBrokenError, match="cannot be started"):
        run_engine(stub.request, stub.feedback, fake)


def test_an_engine_that_never_says_a_word_is_broken(stub):
    with pytest.raises(errors.EngineBrokenError, match="said nothing"):
        stub.run("time.sleep(60)", first_word_s=0.5)
    assert not children._living


def test_the_engine_sees_nothing_of_qgis_in_its_environment(stub, monkeypatch):
    foreign = ["QGIS_PREFIX_PATH", "PYTHONPATH", "PYTHONHOME", "GDAL_DATA", "PROJ_LIB"]
    foreign += ["QT_PLUGIN_PATH", "CPL_DEBUG", "CONDA_PREFIX", "VIRTUAL_ENV", "OSGEO4W_ROOT"]
    for name in foreign:
        monkeypatch.setenv(name, "/somewhere/of/qgis")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    seen = stub.run("""
        say(event="result", values={"env": dict(os.environ), "utf8": sys.flags.utf8_mode,
                                    "isolated": sys.flags.isolated})
    """)
    assert not set(foreign) & set(seen["env"])
    assert seen["env"]["HTTPS_PROXY"] == "http://proxy.example.org"
    assert (seen["utf8"], seen["isolated"]) == (1, 1)


@posix
def test_the_death_of_the_parent_closes_the_life_line(stub):
    entry = stub.write(f"""
        open({str(stub.folder / "engine.pid")!r}, "w").write(str(os.getpid()))
        sys.stdin.readline()
        sys.stdin.read()
    """)
    root = Path(sys.modules["rasd_fusion"].__file__).parent
    parent = stub.folder / "parent.py"
    parent.write_text(
        textwrap.dedent(f"""
        import importlib.util, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        spec = importlib.util.spec_from_file_location(
            "rasd_fusion", {str(root / "__init__.py")!r}, submodule_search_locations=[{str(root)!r}]
        )
        package = importlib.util.module_from_spec(spec)
        sys.modules["rasd_fusion"] = package
        spec.loader.exec_module(package)
        from conftest import Stub
        from rasd_fusion.rasd_qgis.engine_link.process import run_engine
        from pathlib import Path
        stub = Stub(Path({str(stub.folder)!r}))
        run_engine(stub.request, stub.feedback, sys.executable, {str(entry)!r})
        """)
    )
    pid_file = stub.folder / "engine.pid"
    process = subprocess.Popen([sys.executable, str(parent)])
    try:
        assert wait_for(lambda: pid_file.exists() and pid_file.read_text(), 20)
        pid = int(pid_file.read_text())
        assert is_alive(pid)
        process.kill()
        assert wait_for(lambda: not is_alive(pid), 2.0)
    finally:
        process.kill()
        process.wait()


@posix
def test_unloading_the_plugin_stops_running_engines(stub):
    caught = []

    def run():
        try:
            stub.run("""
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                say(event="progress", phase="train", fraction=0.1)
                time.sleep(60)
            """)
        except errors.RasdError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_for(lambda: stub.feedback.progress, 20)
    children.stop_all()
    thread.join(4.0)
    assert not thread.is_alive()
    assert isinstance(caught[0], errors.Cancelled)
    assert "closed or upgraded" in str(caught[0])


@posix
def test_many_runs_leave_no_descriptor_and_no_thread(stub):
    def count():
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    stub.run('say(event="result", values={})')
    assert wait_for(lambda: not children._living, 2.0)
    before = count()
    for _ in range(15):
        stub.run('say(event="result", values={})')
        with pytest.raises(errors.EngineCrashedError):
            stub.run("os.kill(os.getpid(), signal.SIGKILL)")
    assert wait_for(lambda: count() == before, 2.0), (before, count())
