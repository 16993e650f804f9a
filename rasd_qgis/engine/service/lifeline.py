"""The life line: standard input, on which requests come, and whose end ends the engine.

It is held open for as long as somebody wants a result. A thread reads it, so that its end is seen
in every phase of a run: what the run has half-written is removed, and the process goes at once.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import BinaryIO

from ...contract.leftovers import remove_leftovers
from ...contract.request import MOST_CHARACTERS, Request

LOST_READER = 3  # the exit status where a result was still wanted


class LifeLine:
    """The lines of a stream; set `under_way` while a request is worked on, then its `status`."""

    def __init__(self, stream: BinaryIO) -> None:
        self.under_way: Request | None = None
        self.status = 0
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def next_line(self, seconds: float | None) -> bytes | None:
        """The next line; None where none came in so many seconds (None waits for ever)."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def _read(self, stream: BinaryIO) -> None:
        while line := _line_of(stream):
            self._lines.put(line)
        wanted = self.under_way
        if wanted is not None:
            remove_leftovers(wanted)
        os._exit(LOST_READER if wanted is not None or not self._lines.empty() else self.status)


def _line_of(stream: BinaryIO) -> bytes:
    """The next line, b"" at the end; of one that is too long for a request, only its beginning."""
    line = rest = stream.readline(MOST_CHARACTERS + 2)
    while rest and not rest.endswith(b"\n"):
        rest = stream.readline(MOST_CHARACTERS)
    return line
