"""The set-up window: what state the engine is in, and every way to a working one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import QgsTask
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtGui import QGuiApplication
from qgis.PyQt.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...processing.translation import tr
from ...processing.version import plugin_version
from ..contract.errors import Cancelled, RasdError
from ..engine_link import builds
from ..engine_link.diagnosis import describe_state, diagnose, log_path
from ..engine_link.environment import Broken, Missing, Ready, engine_home, require_engine, state
from ..engine_link.install import remove
from ..engine_link.set_up import self_test, set_up
from .background import Background, TaskFeedback
from .preflight import Level
from .preflight_panel import level_name, light


class SetupWindow(QDialog):
    """Set up, repair, test, diagnose, remove; `changed` once the engine's state may be another."""

    changed = pyqtSignal()
    _heard = pyqtSignal(float, str)  # from the thread of a set-up

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rasdSetupWindow")
        self.setWindowTitle(tr("RASD Fusion: engine"))
        self.resize(640, 520)
        self.tested: dict[str, Any] | None = None
        self._task: Background | None = None
        self._doing = ""
        self._heard.connect(self._hear)
        self._build()
        self.refresh()

    def refresh(self) -> None:
        """Show the engine's state as its files tell it."""
        found = state()
        busy = self._task is not None
        level = Level.GOOD if isinstance(found, Ready) else Level.STOP
        if busy or isinstance(found, Missing):
            level = Level.CARE
        self._light.setPixmap(light(level, 24, self.devicePixelRatioF()))
        self._light.setAccessibleName(level_name(level))
        text = tr("The engine is {}.").format(describe_state(found))
        if busy:  # half-made files would look like a broken engine
            text = self._doing
        self._state.setText(f"<b>{text}</b><br>{engine_home()}")
        build = builds.chosen_build()
        driver = tr("an NVIDIA driver was found")
        if not builds.has_nvidia_driver():
            driver = tr("no NVIDIA driver was found")
        size = tr("Set-up fetches the build for {} ({}): about {} MB to download, {} MB on disk.")
        self._size.setText(size.format(build.name, driver, build.download_mb, build.disk_mb))
        self._size.setVisible(not isinstance(found, Ready))
        titles = {Ready: tr("Make it again"), Broken: tr("Repair"), Missing: tr("Set up")}
        self._set_up.setText(titles.get(type(found), tr("Renew")))
        for button in (self._set_up, self._wheels):
            button.setEnabled(not busy)
        self._test.setEnabled(not busy and isinstance(found, Ready))
        self._remove.setEnabled(not busy and not isinstance(found, Missing))
        self._cancel.setEnabled(busy)

    def start_set_up(self) -> None:
        """Install, renew or repair; then the self-test."""
        chosen = self._wheels.filePath()
        wheels, anew = Path(chosen) if chosen else None, isinstance(state(), Ready)

        def work(task: QgsTask) -> Any:
            python = set_up(engine_home(), self._heard.emit, task.isCanceled, wheels, anew)
            self._heard.emit(1.0, tr("Self-test: fusing a tiny pair on each device"))
            return self_test(python, TaskFeedback(task))

        self._log.clear()
        self._follows = True
        self._start(tr("Setting up the engine"), work, self._tested)

    def start_test(self) -> None:
        """Fuse a tiny pair on each device."""

        def work(task: QgsTask) -> Any:
            return self_test(require_engine(), TaskFeedback(task))

        self._say(tr("Self-test: fusing a tiny pair on each device"))
        self._start(tr("Testing the engine"), work, self._tested)

    def start_removal(self) -> None:
        """Ask, then remove the engine."""
        question = tr("Remove the engine at {}? It can be set up again at any time.")
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self, self.windowTitle(), question.format(engine_home()), buttons.Yes | buttons.No
        )
        if answer == buttons.Yes:
            home = engine_home()
            self._start(tr("Removing the engine"), lambda _: remove(home), self._removed)

    def copy_diagnosis(self) -> None:
        """Put one Markdown text on the clipboard."""
        QGuiApplication.clipboard().setText(diagnose(plugin_version(), self.tested))
        self._say(tr("The diagnosis is on the clipboard: paste it where you ask for help."))

    def stop(self) -> None:
        """Give up what runs; a set-up can be taken up again."""
        if self._task is not None:
            self._cancel.setEnabled(False)
            self._say(tr("Stopping…"))
            self._task.cancel()

    def abandon(self) -> None:
        """Give up what runs, and hear nothing of it any more."""
        if self._task is not None:
            self._task.stop()
            self._task = None

    def reject(self) -> None:
        """Called on Close and Escape: what runs goes on in QGIS's list of tasks."""
        self.hide()

    def _build(self) -> None:
        self._light, self._state, self._size = QLabel(), QLabel(), QLabel()
        for label in (self._state, self._size):
            label.setWordWrap(True)
        self._state.setObjectName("rasdEngineState")
        self._wheels = QgsFileWidget()
        self._wheels.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._wheels.lineEdit().setAccessibleName(tr("Folder of wheels, without a network"))
        self._wheels.lineEdit().setPlaceholderText(tr("only to set up without a network"))
        self._progress = QProgressBar()
        self._progress.setRange(0, 100)
        self._log = QPlainTextEdit()
        self._log.setReadOnly(True)
        self._log.setMaximumBlockCount(2000)
        self._log.setAccessibleName(tr("Log of the set-up"))
        self._follows = True
        bar = self._log.verticalScrollBar()
        bar.rangeChanged.connect(self._follow)
        bar.actionTriggered.connect(self._scrolled)
        top = QGridLayout()
        top.addWidget(self._light, 0, 0)
        top.addWidget(self._state, 0, 1, 1, 2)
        top.addWidget(self._size, 1, 1, 1, 2)
        top.addWidget(QLabel(tr("Folder of wheels")), 2, 1)
        top.addWidget(self._wheels, 2, 2)
        top.setColumnStretch(2, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addLayout(self._buttons())
        layout.addWidget(self._progress)
        layout.addWidget(self._log, 1)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._set_up = _button("", "rasdSetUp", self.start_set_up, row)
        self._cancel = _button(tr("Cancel"), "rasdSetUpCancel", self.stop, row)
        self._test = _button(tr("Self-test"), "rasdSelfTest", self.start_test, row)
        row.addStretch(1)
        _button(tr("Copy diagnosis"), "rasdDiagnosis", self.copy_diagnosis, row)
        self._remove = _button(tr("Remove…"), "rasdRemoveEngine", self.start_removal, row)
        _button(tr("Close"), "rasdSetUpClose", self.reject, row)
        return row

    def _start(
        self, title: str, work: Callable[[QgsTask], Any], on_done: Callable[[Any], None]
    ) -> None:
        self._progress.setValue(0)
        self._doing = f"{title}…"

        def done(outcome: Any) -> None:
            self._task = None
            if isinstance(outcome, Cancelled):
                self._say(tr("Stopped. Press the button again to go on; what was fetched is kept."))
            elif isinstance(outcome, RasdError):
                self._say(str(outcome))
                self._say(tr("The whole log: {}").format(log_path()))
            else:
                on_done(outcome)
            self.refresh()
            self.changed.emit()

        self._task = Background(title, work, done).start()
        self.refresh()

    def _hear(self, fraction: float, text: str) -> None:
        self._progress.setValue(round(100 * fraction))
        self._say(text)

    def _tested(self, values: dict[str, Any]) -> None:
        self.tested = values
        self._progress.setValue(100)
        for one in values["DEVICES"]:
            if one["works"]:
                speed = tr("{}: works, {:.2f} megapixels a second")
                self._say(speed.format(one["device"], one["megapixels_per_second"]))
            else:
                self._say(tr("{}: does not work: {}").format(one["device"], one["error"]))
        self._say(tr("The engine is ready."))

    def _removed(self, _: Any) -> None:
        self.tested = None
        self._say(tr("The engine was removed."))

    def _say(self, text: str) -> None:
        self._log.appendPlainText(text)
        self._follow()

    def _follow(self, *_: int) -> None:
        """Show the log's end, as it or the window grows; who reads further up is left there."""
        if self._follows:
            bar = self._log.verticalScrollBar()
            bar.setValue(bar.maximum())

    def _scrolled(self, _: int) -> None:
        """Called when the user has scrolled, before the new value is taken on."""
        bar = self._log.verticalScrollBar()
        self._follows = bar.sliderPosition() >= bar.maximum() - 1


def _button(text: str, name: str, call: Callable[[], None], row: QHBoxLayout) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAutoDefault(False)
    button.clicked.connect(lambda: call())
    row.addWidget(button)
    return button
