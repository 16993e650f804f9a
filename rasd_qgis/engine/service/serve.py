"""Serving: requests one after another, each answered by events and a last one, then a wait.

An engine that stays for the next request spares that one the time to load torch. It goes when none
comes in time, when it would keep too much memory, and after a failure that may have spoilt it.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...contract.errors import FORGIVEN, RasdError
from ...contract.events import Failure, Result, encode
from ...contract.lighter import lighter
from ...contract.request import Request, from_json
from . import memory
from .ahead import load_ahead
from .lifeline import LifeLine
from .report import Reporter

# How torch, oneDNN (of its primitives), numba and C++ say it on a processor.
_NO_MEMORY = re.compile(
    r"out of memory|(can't|cannot|unable to) allocate|bad_alloc|could not create a primitive",
    re.I,
)

Answer = Callable[[Request, Reporter], dict[str, Any]]


@dataclass(frozen=True)
class Stay:
    """How long to wait for the next request, in seconds (0: not at all), and with how much memory.

    most_mib: what `memory.own_mib` may say between two requests.
    """

    seconds: float
    most_mib: float

    def holds(self) -> bool:
        """Whether to stay after a run; gives memory back first."""
        if self.seconds <= 0:
            return False
        memory.release()
        return memory.own_mib() <= self.most_mib


def serve(answer: Answer, line: LifeLine, reporter: Reporter, stay: Stay) -> int:
    """Serve the line's requests; 0 where the last one's result was sent, else 1."""
    text = line.next_line(None)
    last: Result | Failure | None = None
    while text is not None:
        last = _served(text, answer, line, reporter)
        if (isinstance(last, Failure) and last.kind not in FORGIVEN) or not stay.holds():
            break
        load_ahead()
        text = line.next_line(stay.seconds)
    return 0 if isinstance(last, Result) else 1


def _served(text: bytes, answer: Answer, line: LifeLine, reporter: Reporter) -> Result | Failure:
    """Serve one request; the event that was sent last."""
    last: Result | Failure
    task = ""
    try:
        request = line.under_way = from_json(text)
        task = request.task
        reporter.phase("starting", 0.0, 0.0)
        last = Result(answer(request, reporter))
        encode(last)  # what JSON cannot hold, such as a figure that is no number, is told as well
    except RasdError as error:
        # Its sentence says it all; where a library failed, that one's words are for the log.
        cause = repr(error.__cause__) if error.__cause__ else ""
        last = Failure(error.kind, error.message, error.advice, cause)
    except Exception as error:  # whatever it is, the analyst gets a sentence
        last = _unforeseen(error, task)
    line.status = int(isinstance(last, Failure))
    line.under_way = None
    reporter.send(last)
    return last


def _unforeseen(error: Exception, task: str) -> Failure:
    """The failure to report for an error nobody foresaw, out of memory apart.

    task: of the request that met it, "" where it could not be read.
    """
    trace = traceback.format_exc(limit=20)
    told = _of_the_device(error, task)
    if told is not None:
        return Failure(told.kind, told.message, told.advice, trace)
    # Libraries that get none have many words for it, or an error of their own.
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)) or memory.short():
        return Failure(
            "device",
            "The engine ran out of memory.",
            f"{lighter(task)}, or close other programs.",
            trace,
        )
    return Failure(
        "error",
        f"The engine met an error nobody foresaw ({type(error).__name__}: {error}).",
        "The log has the details; please report them.",
        trace,
    )


def _of_the_device(error: Exception, task: str) -> RasdError | None:
    """What torch says of a device; torch is not loaded only to ask."""
    device = sys.modules.get(f"{__package__}.device")
    return device.trouble(error, task) if device is not None else None
