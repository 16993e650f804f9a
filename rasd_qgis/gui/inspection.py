"""Inspection: the question whether a pair is fit, asked once its choice has settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ...processing.translation import tr
from ..contract.errors import RasdError
from ..contract.inspect_request import InspectRequest
from ..engine_link.environment import require_engine
from .background import Background, ask_engine

SETTLE_MS = 400  # a choice that stands this long is meant


class Inspection(QObject):
    """Asks about the pair that `make_request` gives; only the last question is answered.

    started: the engine is asked. answered: carries what `inspect` returned, or a RasdError.
    """

    started = pyqtSignal()
    answered = pyqtSignal(object)

    def __init__(self, make_request: Callable[[], InspectRequest], parent: QObject) -> None:
        super().__init__(parent)
        self._make_request = make_request
        self._task: Background | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self.ask_now)

    def ask_soon(self, *_: Any) -> None:
        """Ask once nothing has changed for a moment."""
        self._cancel_task()
        self._timer.start()

    def ask_now(self) -> None:
        """Ask at once."""
        self.cancel()
        try:
            request, python = self._make_request(), require_engine()
        except RasdError as error:
            self.answered.emit(error)
            return
        self.started.emit()
        title = tr("Looking at {} and {}").format(
            request.hyperspectral.name, request.multispectral.name
        )
        self._task = ask_engine(title, request, python, self._answer)

    def cancel(self) -> None:
        """Ask nothing, and hear no answer to what was asked."""
        self._timer.stop()
        self._cancel_task()

    def _cancel_task(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.stop()

    def _answer(self, outcome: Any) -> None:
        self._task = None
        self.answered.emit(outcome)
