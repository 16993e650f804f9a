"""Reports: what the engine tells the QGIS process while it works, an event a line."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TextIO

from ...contract.events import Event, Log, Progress, Warn, encode


@dataclass(frozen=True)
class Phase:
    """One part of a run: its name, and the share of the whole run's progress it covers."""

    reporter: Reporter
    name: str
    start: float
    stop: float

    def progress(self, done: float, text: str = "") -> None:
        """How far this phase is, 0…1."""
        done = min(max(done, 0.0), 1.0)
        fraction = self.start + done * (self.stop - self.start)
        self.reporter.send(Progress(self.name, fraction, text))


class Reporter:
    """Writes events to a stream, whole lines even when several threads report."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        """Write one event."""
        with self._lock:
            self._stream.write(encode(event) + "\n")
            self._stream.flush()

    def phase(self, name: str, start: float, stop: float) -> Phase:
        """The phase called `name`, from `start` to `stop` (0…1) of the run."""
        phase = Phase(self, name, start, stop)
        phase.progress(0.0)
        return phase

    def log(self, text: str) -> None:
        """A line for the log."""
        self.send(Log(text))

    def warn(self, text: str) -> None:
        """A sentence the analyst should hear though the run goes on."""
        self.send(Warn(text))
