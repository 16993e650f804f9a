"""The engine's process: one request in, events out, and every way it can end told apart.

Standard input stays open as the life line: the engine ends by itself when it closes, so it
outlives neither a cancelled run nor QGIS. After a run that went well it stays for the next one
(`warm`). Whatever the end was, success, cancel, failure or crash, the run's temporary files are
gone afterwards.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from typing import Any, Protocol

from ..contract.errors import (
    FORGIVEN,
    Cancelled,
    EngineBrokenError,
    EngineCrashedError,
    RasdError,
    from_kind,
)
from ..contract.events import Failure, GarbledEvent, Log, Progress, Result, Warn, decode
from ..contract.leftovers import remove_leftovers
from ..contract.lighter import lighter
from ..contract.request import Request, to_json
from . import last_error, warm
from .child import Child

ENTRY = Path(__file__).resolve().parent.parent / "engine" / "__main__.py"

POLL_S = 0.1
CANCEL_GRACE_S = 1.2  # with POLL_S and the kill this keeps a cancel within 2 s
EXIT_GRACE_S = 10.0  # for the engine to end by itself once it has given its result
# Importing torch from a cold disk behind a virus scanner takes a minute at worst.
FIRST_WORD_S = 180.0
# A warm engine answers at once, unless it was stopped or is being read back from a slow swap.
WARM_WORD_S = 10.0

_REPAIR = "Run the algorithm “Set up the engine” (rasd:setupengine), which repairs it."
# How Windows reports that a DLL is missing or does not start.
_DLL_STATUSES = {0xC0000135, 0xC0000142, 0xC000007B}


class Feedback(Protocol):
    """What of QgsProcessingFeedback is used here."""

    def isCanceled(self) -> bool:
        """True once the analyst cancelled."""

    def setProgress(self, progress: float) -> None:
        """Show the progress, 0…100."""

    def setProgressText(self, text: str) -> None:
        """Show what is being done."""

    def pushInfo(self, info: str) -> None:
        """Log a line."""

    def pushWarning(self, warning: str) -> None:
        """Log a warning."""

    def pushDebugInfo(self, info: str) -> None:
        """Log a line for developers."""


def run_engine(
    request: Request,
    feedback: Feedback,
    python: str | Path,
    entry: str | Path = ENTRY,
    first_word_s: float = FIRST_WORD_S,
) -> dict[str, Any]:
    """Run `request` with the engine's `python` and return the values of its result.

    Blocks; `feedback` is used from the calling thread only. Raises Cancelled, EngineBrokenError
    (it does not start), EngineCrashedError (it ended without a word), or the error that the
    engine itself reported.
    """
    try:
        return _serve(request, feedback, python, entry, first_word_s)
    except RasdError as error:
        last_error.note(error, request.task)
        raise


def _serve(
    request: Request,
    feedback: Feedback,
    python: str | Path,
    entry: str | Path,
    first_word_s: float,
) -> dict[str, Any]:
    """Run `request` in the warm engine, or in a new one."""
    if feedback.isCanceled():
        raise Cancelled()
    identity = warm.identity(python, entry)
    child = warm.take(identity)
    if child is not None:
        with contextlib.suppress(_Unanswered):
            return _run(request, feedback, child, identity, min(first_word_s, WARM_WORD_S))
    stay = ["--stay", f"{warm.STAY_S:g}", "--most-mib", f"{warm.MOST_MIB:g}"]
    child = _start([str(python), "-I", "-X", "utf8", str(entry), *stay])
    try:
        return _run(request, feedback, child, identity, first_word_s)
    except _Unanswered as silence:
        raise silence.error from None


class _Unanswered(Exception):
    """The engine ended, or hung, before it said a word of this run; `error` is what to tell."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _start(command: list[str]) -> Child:
    try:
        return Child(command)
    except OSError as error:
        raise EngineBrokenError(
            f"The engine's Python cannot be started ({command[0]}: {error.strerror or error}).",
            _REPAIR,
        ) from error


def _run(
    request: Request,
    feedback: Feedback,
    child: Child,
    identity: warm.Identity,
    first_word_s: float,
) -> dict[str, Any]:
    """Run a request in an engine that waits for one; keep the engine where that went well."""
    speaker = _Speaker(feedback)
    last: Result | Failure | None = None
    try:
        child.send_line(to_json(request))
        last = _listen(child, speaker, feedback, first_word_s, request.task)
        if isinstance(last, Failure):
            raise _failure(last, child, feedback)
        return last.values
    finally:
        kept = _is_fit(last) and not speaker.garbled and warm.keep(identity, child)
        if not kept:
            child.end(EXIT_GRACE_S if last is not None else 0.0)
        remove_leftovers(request)


def _is_fit(last: Result | Failure | None) -> bool:
    """Whether an engine that ended a run with this event is good for another one."""
    return isinstance(last, Result) or (isinstance(last, Failure) and last.kind in FORGIVEN)


def _listen(
    child: Child, speaker: _Speaker, feedback: Feedback, first_word_s: float, task: str
) -> Result | Failure:
    """Follow the engine's events to the last one of the run."""
    silent_until = time.monotonic() + first_word_s
    while True:
        line = child.next_line(POLL_S)
        if feedback.isCanceled():
            child.end(CANCEL_GRACE_S)
            raise Cancelled()
        if line is None:
            error = _end_without_result(child, task)
            raise error if speaker.heard or child.stopped else _Unanswered(error)
        last = speaker.hear(line) if line else None
        if last is not None:
            return last
        if not speaker.heard and time.monotonic() > silent_until:
            raise _Unanswered(
                EngineBrokenError(
                    f"The engine was started but said nothing for {first_word_s:g} seconds.",
                    _REPAIR,
                )
            )


class _Speaker:
    """Passes the engine's events on to the feedback."""

    def __init__(self, feedback: Feedback) -> None:
        self.heard = False
        self.garbled = False
        self._feedback = feedback
        self._text = ""

    def hear(self, line: str) -> Result | Failure | None:
        """Pass one line on; the event that ends the run is returned instead."""
        try:
            event = decode(line)
        except GarbledEvent:
            self.garbled = True
            self._feedback.pushDebugInfo(line.rstrip()[:2000])
            return None
        self.heard = True
        if isinstance(event, (Result, Failure)):
            return event
        if isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Warn):
            self._feedback.pushWarning(event.text)
        elif isinstance(event, Log):
            self._feedback.pushInfo(event.text)
        return None

    def _progress(self, event: Progress) -> None:
        self._feedback.setProgress(100.0 * event.fraction)
        text = event.text or event.phase
        if text != self._text:
            self._text = text
            self._feedback.setProgressText(text)


def _failure(failure: Failure, child: Child, feedback: Feedback) -> Exception:
    """The error the engine reported; its traceback goes to the debug log."""
    if failure.detail:
        feedback.pushDebugInfo(failure.detail)
    error = from_kind(failure.kind, failure.message, failure.advice)
    if isinstance(error, EngineCrashedError):
        error.stderr_tail = child.tail()
    return error


def _end_without_result(child: Child, task: str) -> Exception:
    """The error for an engine whose output ended before it gave a result."""
    status = child.end(CANCEL_GRACE_S)
    if child.stopped:
        return Cancelled("The run was stopped, because the plugin was closed or upgraded.")
    tail = child.tail()
    message = f"The engine stopped without a result ({_describe(status)})."
    if tail:
        message = f"{message} Its last words:\n{tail}\n"
    return EngineCrashedError(message, _advice(status, tail, task), tail)


def _describe(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "it could not be ended"
    if status < 0:
        try:
            return f"ended by signal {signal.Signals(-status).name}"
        except ValueError:
            return f"ended by signal {-status}"
    return f"exit status {status:#x}" if status > 255 else f"exit status {status}"


def _advice(status: int | None, tail: str, task: str) -> str:
    """What to do about an engine that ended that way."""
    if status == -getattr(signal, "SIGKILL", 9) or "MemoryError" in tail:
        return (
            "The computer probably ran out of memory. "
            f"{lighter(task)}, or close other programs, and run it again."
        )
    if status in _DLL_STATUSES or "ImportError" in tail or "ModuleNotFoundError" in tail:
        return f"A library of the engine does not load. {_REPAIR}"
    return f"Run it again; if it stops again: {_REPAIR}"
