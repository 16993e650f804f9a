"""Run inside a QGIS desktop by tools/walk: a new user's way from the zip to a spectrum.

Everything happens through widgets, by mouse and keyboard events; Python only finds where they
stand and waits for what they show. A click is sent from the event loop, so that a window that
waits for its answer does not hold the walk.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsProject
from qgis.gui import QgsFileWidget
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QPoint, QRect, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QApplication,
    QListWidget,
    QMenu,
    QMenuBar,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QWidget,
)
from qgis.utils import iface

READY = Path(os.environ["RASD_FUSION_DESKTOP_READY"])
ZIP = os.environ["RASD_FUSION_WALK_ZIP"]
PICTURES = Path(os.environ["RASD_FUSION_WALK_PICTURES"])
TICK_MS = 100
SETTLE_S = 1.0  # before a picture: the last repaints
SOON_S = 0.5  # the same for what may be over within a second
FUSION_MENU = "RASD Fusion"

Waits = Iterator[Callable[[], Any]]


def walk() -> Waits:
    """The steps; what is yielded is waited for until it is true."""
    # QGIS's first window comes up small.
    iface.mainWindow().setGeometry(0, 22, 1280, 778)
    yield from pause(2)
    yield from install_from_zip()
    yield from set_engine_up()
    yield from open_sample()
    yield from preview()
    yield from fuse()
    yield from inspect_spectra()
    yield from explore_routes()


def install_from_zip() -> Waits:
    """Plugins → Manage and Install Plugins… → Install from ZIP."""
    yield from choose("Plugins", "Manage and Install Plugins")
    manager = yield from window("QgsPluginManagerBase")
    pages = manager.findChild(QListWidget, "mOptionsListWidget")
    row = next(i for i in range(pages.count()) if "ZIP" in pages.item(i).text())
    click(pages.viewport(), pages.visualItemRect(pages.item(row)).center())
    path = manager.findChild(QgsFileWidget, "mZipFileWidget").lineEdit()
    yield lambda: path.isVisible()
    click(path)
    type_into(path, ZIP)
    yield from photograph("install-from-zip")
    click(manager.findChild(QPushButton, "buttonInstallFromZip"))
    warning = yield from window_of(QMessageBox)
    click(warning.button(QMessageBox.StandardButton.Yes))
    yield lambda: QgsApplication.processingRegistry().algorithmById("rasd:fuse")
    yield from pause(1)
    click(next(b for b in manager.findChildren(QPushButton) if "Close" in b.text()))
    yield lambda: gone(manager)


def set_engine_up() -> Waits:
    """What a first run shows, and the engine set up and tested from there."""
    button = yield from child(iface.mainWindow(), QPushButton, "rasdGreeting")
    yield from photograph("first-run")
    click(button)
    dialog = yield from window("rasdSetupWindow")
    yield from photograph("engine-missing")
    press = dialog.findChild(QPushButton, "rasdSetUp")
    click(press)
    yield lambda: not press.isEnabled()
    log = dialog.findChild(QPlainTextEdit)
    yield lambda: "Installing collected" in log.toPlainText() or press.isEnabled()
    yield from photograph("engine-on-its-way")
    yield lambda: press.isEnabled()
    yield from photograph("engine-ready")
    if not dialog.findChild(QPushButton, "rasdSelfTest").isEnabled():
        raise RuntimeError("The engine could not be set up; the last picture says why.")
    click(dialog.findChild(QPushButton, "rasdSetUpClose"))
    yield lambda: gone(dialog)


def open_sample() -> Waits:
    """Raster → RASD Fusion → Try it on a sample scene, and the checks of the pair."""
    click_menu_bar("Raster")
    yield lambda: menu_with(FUSION_MENU)
    click_in_menu(menu_with(FUSION_MENU), FUSION_MENU)
    yield lambda: menu_with("sample")
    yield from photograph("menu")
    click_in_menu(menu_with("sample"), "sample")
    dialog = yield from window("rasdFusionDialog")
    yield lambda: dialog.mainWidget().preflight.checks
    yield from photograph("sample-and-checks")


def preview() -> Waits:
    """The map fused in seconds, and the ratio moved by keys."""
    dialog = yield from window("rasdFusionDialog")
    click(dialog.findChild(QPushButton, "rasdPreviewButton"))
    shown = yield from window("rasdPreview")
    yield lambda: shown.pictures
    first = shown.pictures
    yield from photograph("preview")
    slider = shown.findChild(QSlider, "rasdPreviewRatio")
    click(slider, QPoint(5, slider.height() // 2))
    for _ in range(4):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    yield lambda: shown.pictures is not first
    click(shown.findChild(QAbstractButton, "rasdPreviewConfidence"))
    yield from photograph("preview-confidence")
    QTest.keyClick(shown, Qt.Key.Key_Escape)
    yield lambda: gone(shown)


def fuse() -> Waits:
    """Run pressed, and the layers in the project."""
    dialog = yield from window("rasdFusionDialog")
    click(dialog.runButton())
    yield lambda: dialog.cancelButton().isEnabled()
    yield from photograph("fusing", SOON_S)
    yield lambda: not dialog.cancelButton().isEnabled()
    yield from pause(2)
    if len(QgsProject.instance().mapLayers()) < 4:
        raise RuntimeError("rasd:fuse brought no layers; the dialog's log says why.")
    yield from photograph("log")
    click(next(b for b in dialog.buttonBox().buttons() if "Close" in b.text()))
    yield lambda: gone(dialog)
    yield from photograph("fused")


def inspect_spectra() -> Waits:
    """Two points picked on the map, and the spectra of the three layers there."""
    yield from choose("Raster", FUSION_MENU, "Spectral inspector")
    dock = yield from child(iface.mainWindow(), QWidget, "rasdSpectralInspector")
    yield from pause(3)
    click(dock.findChild(QPushButton, "rasdPick_point"))
    yield from pause(0.5)
    canvas = iface.mapCanvas().viewport()
    for across, down in ((0.4, 0.35), (0.62, 0.6)):
        click(canvas, QPoint(int(canvas.width() * across), int(canvas.height() * down)))
        yield from pause(0.5)
    yield lambda: len({one.place for one in dock.spectra}) == 2 and len(dock.spectra) >= 6
    yield from photograph("spectra")
    dock.close()


def explore_routes() -> Waits:
    """The confidence layer cut by a threshold."""
    yield from choose("Raster", FUSION_MENU, "Routing explorer")
    dock = yield from child(iface.mainWindow(), QWidget, "rasdRoutingExplorer")
    yield lambda: dock.layer
    click(dock.findChild(QPushButton, "rasdRouteTop"))
    yield from pause(1)
    slider = dock.findChild(QSlider)
    for _ in range(12):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    yield from pause(2)
    yield from photograph("routing")


def click(widget: QWidget, place: QPoint | None = None) -> None:
    """Click with the left button, as soon as the event loop turns."""
    at = place if place is not None else widget.rect().center()
    button, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTimer.singleShot(0, lambda: QTest.mouseClick(widget, button, no_key, at))


def type_into(widget: QWidget, text: str) -> None:
    """Type a text."""
    QTest.keyClicks(widget, text)


def choose(menu: str, *entries: str) -> Waits:
    """Click an entry of the menu bar, and on through its menus."""
    click_menu_bar(menu)
    for entry in entries:
        yield lambda entry=entry: menu_with(entry)
        click_in_menu(menu_with(entry), entry)


def click_menu_bar(text: str) -> None:
    """Click an entry of the main window's menu bar."""
    bar = iface.mainWindow().findChild(QMenuBar)
    action = next(a for a in bar.actions() if text in plain(a.text()))
    click(bar, bar.actionGeometry(action).center())


def click_in_menu(menu: QMenu, text: str) -> None:
    """Click the entry that holds that text."""
    action = next(a for a in menu.actions() if text in plain(a.text()))
    click(menu, menu.actionGeometry(action).center())


def menu_with(text: str) -> QMenu | None:
    """The open menu with such an entry."""
    menus = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMenu) and w.isVisible())
    return next((m for m in menus if any(text in plain(a.text()) for a in m.actions())), None)


def plain(text: str) -> str:
    """A menu's text without the marks of its shortcuts."""
    return text.replace("&", "")


def window(name: str) -> Any:
    """Wait for a window by its object name."""
    return (yield from found(lambda w: w.objectName() == name))


def window_of(kind: type) -> Any:
    """Wait for a window of a kind."""
    return (yield from found(lambda w: isinstance(w, kind)))


def found(fits: Callable[[QWidget], bool]) -> Any:
    """Wait for a visible window that fits."""

    def look() -> QWidget | None:
        shown = (w for w in QApplication.topLevelWidgets() if w.isVisible())
        return next((w for w in shown if fits(w)), None)

    yield look
    return look()


def child(parent: QWidget, kind: type, name: str) -> Any:
    """Wait for a visible widget inside another, by its object name."""

    def look() -> Any:
        return next((w for w in parent.findChildren(kind, name) if w.isVisible()), None)

    yield look
    return look()


def gone(widget: QWidget) -> bool:
    """Whether a window was closed; Qt may have deleted it."""
    return bool(sip.isdeleted(widget) or not widget.isVisible())


def pause(seconds: float) -> Waits:
    """Let the event loop turn for so long."""
    end = time.monotonic() + seconds
    yield lambda: time.monotonic() > end


def photograph(name: str, settle: float = SETTLE_S) -> Waits:
    """Keep a picture of the whole screen, numbered in the order of the walk."""
    yield from pause(settle)
    take_picture(name)


def take_picture(name: str) -> None:
    """The screen as it stands."""
    number = len(list(PICTURES.glob("*.png"))) + 1
    screen = QgsApplication.primaryScreen()
    place: QRect = screen.geometry()
    picture = screen.grabWindow(0, 0, 0, place.width(), place.height())
    picture.save(str(PICTURES / f"{number:02d}-{name}.png"))


class Walker:
    """Takes a step whenever what is waited for has come."""

    LONGEST_S = 600.0

    def __init__(self) -> None:
        self._steps = walk()
        self._awaited: Callable[[], Any] = lambda: True
        self._since = time.monotonic()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        try:
            if self._awaited():
                self._awaited, self._since = next(self._steps), time.monotonic()
            elif time.monotonic() - self._since > self.LONGEST_S:
                raise TimeoutError(f"Waited {self.LONGEST_S:.0f} s in vain.")
        except StopIteration:
            self._end("")
        except Exception:
            take_picture("failed")
            self._end(traceback.format_exc())

    def _end(self, reason: str) -> None:
        self._timer.stop()
        READY.write_text(reason, encoding="utf-8")


walker = Walker()
