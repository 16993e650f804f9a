"""Background: work done in QGIS's task manager, so that no window waits for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsTask

from ..contract.errors import Cancelled, RasdError
from ..contract.request import Request
from ..engine_link.process import run_engine

# QGIS deletes the C++ side of a task that is over; its Python side has to live until then.
_running: set[Background] = set()


class Background(QgsTask):
    """One piece of work; `on_done` is called in the main thread with its outcome.

    work: called in a thread of its own with the task, whose `isCanceled` it heeds. The outcome is
    what it returns, or the RasdError that it raised. A task that was stopped reports nothing.
    """

    def __init__(
        self, title: str, work: Callable[[QgsTask], Any], on_done: Callable[[Any], None]
    ) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self._work, self._on_done = work, on_done
        self._outcome: Any = None
        self._over = False

    def start(self) -> Background:
        """Hand it to the task manager."""
        _running.add(self)
        QgsApplication.taskManager().addTask(self)
        return self

    def stop(self) -> None:
        """Give it up, also where it is over."""
        self._on_done = _ignore
        if not self._over:
            self.cancel()

    def run(self) -> bool:
        """Called by QGIS in a thread of its own."""
        try:
            self._outcome = self._work(self)
        except RasdError as error:
            self._outcome = error
        except Exception as error:  # a thread's exception would be lost without a word
            self._outcome = RasdError(
                f"Something nobody foresaw happened ({error!r}).",
                "Try it again; if it happens again, please report it.",
            )
        return not isinstance(self._outcome, RasdError)

    def finished(self, result: bool) -> None:
        """Called by QGIS in the main thread."""
        self._over = True
        _running.discard(self)
        if not self.isCanceled():
            self._on_done(self._outcome)
        elif self._on_done is not _ignore:  # cancelled by the analyst in QGIS's own list of tasks
            self._on_done(Cancelled())


def ask_engine(
    title: str, request: Request, python: Path, on_done: Callable[[Any], None]
) -> Background:
    """Start a request to the engine; its outcome is the values of the result, or a RasdError."""

    def work(task: QgsTask) -> Any:
        return run_engine(request, TaskFeedback(task), python)

    return Background(title, work, on_done).start()


def _ignore(outcome: Any) -> None:
    """For a task whose outcome nobody waits for any more."""


class TaskFeedback:
    """What `run_engine` tells, as far as a task shows it."""

    def __init__(self, task: QgsTask) -> None:
        self._task = task

    def isCanceled(self) -> bool:
        """True once the task was cancelled."""
        return bool(self._task.isCanceled())

    def setProgress(self, progress: float) -> None:
        """Show the progress, 0…100."""
        self._task.setProgress(progress)

    def setProgressText(self, text: str) -> None:
        """A task shows no text."""

    def pushInfo(self, info: str) -> None:
        """A task keeps no log."""

    def pushWarning(self, warning: str) -> None:
        """A task keeps no log; warnings are part of what was asked for."""

    def pushDebugInfo(self, info: str) -> None:
        """A task keeps no log."""
