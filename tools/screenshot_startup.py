"""Run inside a QGIS desktop by `make screenshot`: the demo's pair fused from its dialog.

It opens both layers, runs rasd:fuse by the dialog's own Run button, leaves the dialog's log beside
the styled layers, and says that the picture may be taken (tools/desktop tells how).
RASD_FUSION_SHOT_STEPS sets the number of training steps; without it the dialog's default runs.
The log shows where temporary files lie: TMPDIR says where that is to be.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processing
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QTextEdit
from qgis.utils import iface

import rasd_fusion

READY = Path(os.environ["RASD_FUSION_DESKTOP_READY"])
DEMO = Path(rasd_fusion.__file__).resolve().parent / "build" / "demo"
STEPS_VARIABLE = "RASD_FUSION_SHOT_STEPS"
DRAWING_MS = 4000
WATCH_MS = 1000

# What lives until QGIS ends: Python would otherwise delete the dialog under the running algorithm.
kept: list[Any] = []


def guarded(step: Callable[..., None]) -> Callable[..., None]:
    """The step, but an error in it ends the wait with its reason instead of a time-out."""

    def run(*arguments: Any) -> None:
        try:
            step(*arguments)
        except Exception:
            READY.write_text(traceback.format_exc(), encoding="utf-8")

    return run


def add_layer(name: str) -> QgsRasterLayer:
    """Add one of the demo's rasters to the project under its file's name."""
    layer = QgsRasterLayer(str(DEMO / f"{name}.tif"), name)
    if not layer.isValid():
        raise FileNotFoundError(f"{DEMO / name}.tif cannot be opened: run `make demo` first")
    QgsProject.instance().addMapLayer(layer)
    return layer


def start() -> None:
    """Open the layers and the dialog, and press Run."""
    # There is no window manager on the virtual screen to maximise by.
    iface.mainWindow().setGeometry(QgsApplication.primaryScreen().geometry())
    guide = add_layer("multispectral")
    coarse = add_layer("hyperspectral")
    QgsProject.instance().setCrs(guide.crs())
    parameters = {"INPUT_HS": coarse.id(), "INPUT_MS": guide.id()}
    if STEPS_VARIABLE in os.environ:
        parameters["TRAINING_STEPS"] = int(os.environ[STEPS_VARIABLE])
    dialog = processing.createAlgorithmDialog("rasd:fuse", parameters)
    kept.append(dialog)
    dialog.algorithmFinished.connect(guarded(finish))
    dialog.show()
    dialog.runButton().click()
    watch = QTimer(dialog)
    watch.timeout.connect(guarded(look_for_failure))
    watch.start(WATCH_MS)
    kept.append(watch)


def look_for_failure() -> None:
    """End the wait where the run is over without a word: so the dialog treats a failed one."""
    if not kept[0].cancelButton().isEnabled():
        kept[1].stop()
        raise RuntimeError("rasd:fuse failed; the picture shows the dialog's log.")


def finish(successful: bool, _results: dict[str, Any]) -> None:
    """Put map and dialog side by side, and wait for the map to be drawn."""
    kept[1].stop()
    if not successful:
        raise RuntimeError("rasd:fuse failed; the picture shows the dialog's log.")
    QTimer.singleShot(DRAWING_MS // 2, guarded(arrange))
    QTimer.singleShot(DRAWING_MS, guarded(lambda: READY.write_text("", encoding="utf-8")))


def arrange() -> None:
    """Zoom to the result, move the dialog to the lower right and its log to the end."""
    iface.zoomToActiveLayer()
    iface.mapCanvas().zoomToFullExtent()
    screen = QgsApplication.primaryScreen().availableGeometry()
    dialog = kept[0]
    dialog.resize(screen.width() * 2 // 5, screen.height() * 2 // 5)
    dialog.move(screen.right() - dialog.width() - 12, screen.bottom() - dialog.height() - 36)
    dialog.raise_()
    # What was laid out for the old size is laid out again first.
    QTimer.singleShot(0, lambda: show_end(dialog.findChild(QTextEdit, "txtLog")))


def show_end(text: QTextEdit) -> None:
    """Scroll a text to its last line."""
    bar = text.verticalScrollBar()
    bar.setValue(bar.maximum())


QTimer.singleShot(1000, guarded(start))
