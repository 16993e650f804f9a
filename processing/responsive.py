"""Responsive: feedback that keeps QGIS alive while an algorithm waits for the engine.

Batches of QGIS before 3.34, and qgis_process, run an algorithm in the main thread, where a click
on Cancel, or Ctrl-C, is seen only once Qt may look at its events.
"""

from __future__ import annotations

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import QCoreApplication, QEventLoop, QThread

EVENTS_MS = 50  # the longest look at events, so that the engine is listened to in between


class ResponsiveFeedback:
    """A QgsProcessingFeedback, whose `isCanceled` first lets Qt look at its events."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        application = QCoreApplication.instance()
        self._in_main_thread = application is not None and (
            QThread.currentThread() == application.thread()
        )

    def isCanceled(self) -> bool:
        """True once the analyst cancelled."""
        if self._in_main_thread:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, EVENTS_MS)
        return self._feedback.isCanceled()

    def setProgress(self, progress: float) -> None:
        """Show the progress, 0…100."""
        self._feedback.setProgress(progress)

    def setProgressText(self, text: str) -> None:
        """Show what is being done."""
        self._feedback.setProgressText(text)

    def pushInfo(self, info: str) -> None:
        """Log a line."""
        self._feedback.pushInfo(info)

    def pushWarning(self, warning: str) -> None:
        """Log a warning."""
        self._feedback.pushWarning(warning)

    def pushDebugInfo(self, info: str) -> None:
        """Log a line for developers."""
        self._feedback.pushDebugInfo(info)
