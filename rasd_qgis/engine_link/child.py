"""Child: a process started by us, with everything it started itself.

It gets a cleaned environment and a process group of its own, so that it can be ended with its
own children. Both of its outputs are read by threads, so it never stalls on a full pipe, and
what is kept of them is bounded. All living children are known here and can be ended at once,
when the plugin is unloaded.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, cast

from .surroundings import clean_environment

TAIL_BYTES = 16_384  # what is kept of stderr, for the error message
LINE_BYTES = 1_048_576  # a longer line of stdout is handed on in pieces
QUEUE_LINES = 1_000  # lines read ahead of their reader; then the child has to wait

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows alone has console windows

_living: set[Child] = set()
_living_lock = threading.Lock()


class Child:
    """A running process; lines of its stdout come from `next_line`, stderr's end from `tail`."""

    def __init__(
        self,
        command: Sequence[str],
        merge_stderr: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command`; OSError where it cannot be started.

        settings: variables that it gets besides those of the cleaned environment.
        """
        self.stopped = False
        self._lines: queue.Queue[bytes | None] = queue.Queue(QUEUE_LINES)
        self._tail = b""
        self._writer: threading.Thread | None = None
        self._watcher: threading.Thread | None = None
        self._abandoned = threading.Event()
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge_stderr else subprocess.PIPE,
            env={**clean_environment(), **(settings or {})},
            **_own_group(),
        )
        self._input = cast("IO[bytes]", self.process.stdin)
        output = cast("IO[bytes]", self.process.stdout)
        self._readers = [self._thread(self._read_lines, output)]
        if self.process.stderr is not None:
            self._readers.append(self._thread(self._read_tail, self.process.stderr))
        with _living_lock:
            _living.add(self)

    def next_line(self, timeout: float) -> str | None:
        """The next line of stdout; "" where none came in `timeout` seconds, None at its end."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return ""
        if line is None:
            self._lines.put(None)
            return None
        return line.decode("utf-8", "replace") or "\n"

    def send_line(self, text: str) -> None:
        """Write one line to stdin, by a thread of its own, and keep stdin open.

        A child that is gone, or never reads, is no error here: whoever waits for it sees that.
        """
        self._writer = threading.Thread(target=self._write, args=(text,), daemon=True)
        self._writer.start()

    def close_input(self) -> None:
        """Close stdin, which asks the engine to end; not while a line is still on its way."""
        if not self._is_writing():
            self._quietly(self._input.close)

    def wait(self, seconds: float) -> int | None:
        """The exit status once the process ended, None where it still runs after `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def tail(self) -> str:
        """The end of stderr, at most TAIL_BYTES of it."""
        text = codecs.decode(self._tail, "utf-8", "replace")
        return text.strip()

    def forget_tail(self) -> None:
        """Let the tail begin again, with what comes from now on."""
        self._tail = b""

    def is_idle(self) -> bool:
        """True while it runs, nothing is on its way to it, and all it said has been heard."""
        busy = self._is_writing()
        listening = self._readers[0].is_alive() and self._lines.empty()
        return listening and not busy and not self.stopped and self.process.poll() is None

    def when_silent(self, act: Callable[[Child], None]) -> None:
        """Call `act` from another thread when stdout has ended; only the first call counts."""

        def wait() -> None:
            self._readers[0].join()
            act(self)

        if self._watcher is None:
            self._watcher = threading.Thread(target=wait, daemon=True)
            self._watcher.start()

    def end(self, grace: float = 0.0) -> int | None:
        """Ask the child to end, kill its whole group after `grace` seconds; its exit status.

        Returns within grace + 3 s. Safe to call again.
        """
        self.close_input()
        if self.wait(grace) is None or self._group_lives():
            self.kill()
        status = self.wait(2.0)
        self._abandoned.set()
        self._join(1.0)
        self.close_input()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None and not any(reader.is_alive() for reader in self._readers):
                stream.close()
        with _living_lock:
            _living.discard(self)
        return status

    def kill(self) -> None:
        """Kill the child and its whole group at once."""
        if sys.platform == "win32":
            _kill_tree_on_windows(self.process)
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()

    def _group_lives(self) -> bool:
        """True where something of the child's group holds its outputs open after its own end."""
        self._join(0.2)
        return any(reader.is_alive() for reader in self._readers)

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))

    def _thread(self, target: Callable, stream: IO[bytes]) -> threading.Thread:
        thread = threading.Thread(target=target, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _is_writing(self) -> bool:
        """True while a line is on its way; an answer may be here before its writer has returned."""
        if self._writer is None:
            return False
        self._writer.join(0.1)
        return self._writer.is_alive()

    def _write(self, text: str) -> None:
        self._quietly(lambda: self._input.write(text.encode("utf-8") + b"\n"))
        self._quietly(self._input.flush)

    @staticmethod
    def _quietly(action: Callable) -> None:
        """Do something to a pipe whose other end may be gone."""
        with contextlib.suppress(OSError, ValueError):
            action()

    def _read_lines(self, stream: IO[bytes]) -> None:
        try:
            while line := stream.readline(LINE_BYTES):
                self._put(line)
        except (OSError, ValueError):  # the stream was closed under us
            pass
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        """Queue a line; once nobody listens any more, drop it."""
        while not self._abandoned.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=0.1)
                return

    def _read_tail(self, stream: IO[bytes]) -> None:
        try:
            while piece := os.read(stream.fileno(), 65_536):
                self._tail = (self._tail + piece)[-TAIL_BYTES:]
        except (OSError, ValueError):
            return


def stop_all() -> None:
    """End every living child at once; whoever waits for one sees it `stopped`."""
    with _living_lock:
        children = list(_living)
    for child in children:
        child.stopped = True
        child.close_input()
    deadline = time.monotonic() + 1.0
    for child in children:
        if child.wait(max(0.0, deadline - time.monotonic())) is None:
            child.kill()


def _own_group() -> dict:
    """Popen's arguments that put the child in a group of its own, without a console window."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | _NO_WINDOW}
    return {"start_new_session": True}


def _kill_tree_on_windows(process: subprocess.Popen) -> None:
    taskkill = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
    try:
        subprocess.run(
            [taskkill, "/T", "/F", "/PID", str(process.pid)],
            capture_output=True,
            check=False,
            timeout=5,
            creationflags=_NO_WINDOW,
        )
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
