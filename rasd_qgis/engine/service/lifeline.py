"""The life line: standard input, on which requests come, and whose end ends the engine.

It is held open for as long as somebody wants a result. A thread reads it, so that its end is seen
in every phase of a run: what the run has half-written is removed, and the process goes at once. So
it does at SIGTERM.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
from functools import partial
from typing import BinaryIO

from ...contract.leftovers import remove_leftovers
from ...contract.request import MOST_CHARACTERS, Request
from .stages import start

LOST_READER = 3  # the exit status where a result was still wanted


class LifeLine:
    """The lines of a stream; set `under_way` while a request is worked on, then its `status`."""

    def __init__(self, stream: BinaryIO, ends: bool = True) -> None:
        """ends: whether the end of the stream ends the engine, which that of a file does not."""
        self.under_way: Request | None = None
        self.status = 0
        self._ends = ends
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        if sys.platform != "win32":
            # Threads of later on leave it alone, too: it is for the one that waits for it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            start(self._wait_for_signal)
        start(partial(self._read, stream))

    def next_line(self, seconds: float | None) -> bytes | None:
        """The next line; None where none came in so many seconds (None waits for ever)."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def _read(self, stream: BinaryIO) -> None:
        while line := _line_of(stream):
            self._lines.put(line)
        if not self._ends:
            return
        wanted = self._clean()
        os._exit(LOST_READER if wanted or not self._lines.empty() else self.status)

    def _wait_for_signal(self) -> None:
        """At the signal to end, end by it, as a process does that does not know it."""
        if sys.platform != "win32":
            signal.sigwait({signal.SIGTERM})
            self._clean()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            os.kill(os.getpid(), signal.SIGTERM)

    def _clean(self) -> bool:
        """Remove what is half-written; whether a result was wanted."""
        wanted = self.under_way
        if wanted is not None:
            remove_leftovers(wanted)
        return wanted is not None


def _line_of(stream: BinaryIO) -> bytes:
    """The next line, b"" at the end; of one that is too long for a request, only its beginning."""
    line = rest = stream.readline(MOST_CHARACTERS + 2)
    while rest and not rest.endswith(b"\n"):
        rest = stream.readline(MOST_CHARACTERS)
    return line
