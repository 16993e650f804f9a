"""Run inside a QGIS desktop by bench_heartbeat: the longest gaps of a timer, by what went on.

The fusion is the dialog's own: the sample scene loaded, the dialog opened on it, Run pressed. What
was measured goes as JSON to the file that RASD_FUSION_HEARTBEAT names.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.utils import iface

READY = Path(os.environ["RASD_FUSION_DESKTOP_READY"])
FOUND = Path(os.environ["RASD_FUSION_HEARTBEAT"])
RUNS = 3
BEAT_MS = 5
IDLE_S = 25.0
TRAINING = {"MODEL": "scene", "TRAINING_MINUTES": 0.25}
ARRIVAL_S = 4.0  # from the end of the run: the layers are drawn
LONGEST_S = 300.0
# A dialog of QGIS's own, for comparison.
NATIVE, OWN = "gdal:translate", "QGIS's own Translate dialog opened"
PHASES = (
    "idle",
    OWN,
    "fusion dialog opened, pair checked",
    "fusing, layers loaded",
    "layers drawn",
)


class Heart:
    """A timer that notes its longest gap since it was asked."""

    def __init__(self) -> None:
        self._last, self._longest = time.perf_counter(), 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)

    def longest_ms(self) -> float:
        """The longest gap since the last call, in ms."""
        self._beat()
        longest, self._longest = self._longest, 0.0
        return 1000.0 * longest

    def _beat(self) -> None:
        now = time.perf_counter()
        self._longest = max(self._longest, now - self._last)
        self._last = now


def measure(heart: Heart, gaps: dict[str, list[float]]) -> Iterator[Any]:
    """The phases; what is yielded is waited for: seconds, or a function until it is true."""
    from rasd_fusion.rasd_qgis.gui import opening, sample

    project = QgsProject.instance()
    pair = sample.load_sample(project, Path(tempfile.mkdtemp()))
    iface.zoomToActiveLayer()
    yield 5.0
    for _ in range(RUNS):
        heart.longest_ms()
        yield IDLE_S
        gaps["idle"].append(heart.longest_ms())
        native = opening.show(NATIVE, {})
        yield 2.0
        gaps[OWN].append(heart.longest_ms())
        native.reject()
        yield 1.0
        heart.longest_ms()
        dialog = opening.show("rasd:fuse", {**pair, **TRAINING})
        yield lambda dialog=dialog: dialog.mainWidget().preflight.checks
        gaps["fusion dialog opened, pair checked"].append(heart.longest_ms())
        ended: list[bool] = []
        dialog.algorithmFinished.connect(lambda ok, *_, ended=ended: ended.append(ok))
        layers = len(project.mapLayers())
        dialog.runButton().click()
        yield lambda dialog=dialog: not dialog.cancelButton().isEnabled()
        gaps["fusing, layers loaded"].append(heart.longest_ms())
        yield ARRIVAL_S
        gaps["layers drawn"].append(heart.longest_ms())
        if ended != [True] or len(project.mapLayers()) <= layers:
            raise RuntimeError("rasd:fuse brought no layers; the picture shows the dialog.")
        dialog.reject()


class Measurement:
    """Goes on whenever what is waited for has come."""

    def __init__(self) -> None:
        self._gaps: dict[str, list[float]] = {name: [] for name in PHASES}
        self._steps = measure(Heart(), self._gaps)
        self._go_on()

    def _go_on(self) -> None:
        try:
            awaited = next(self._steps)
        except StopIteration:
            FOUND.write_text(json.dumps(self._gaps), encoding="utf-8")
            READY.write_text("", encoding="utf-8")
        except Exception:
            READY.write_text(traceback.format_exc(), encoding="utf-8")
        else:
            if callable(awaited):
                self._look(awaited, time.monotonic() + LONGEST_S)
            else:
                QTimer.singleShot(round(1000 * awaited), self._go_on)

    def _look(self, awaited: Any, deadline: float) -> None:
        if awaited():
            self._go_on()
        elif time.monotonic() > deadline:
            READY.write_text("A step did not come about in time.", encoding="utf-8")
        else:
            QTimer.singleShot(50, lambda: self._look(awaited, deadline))


iface.mainWindow().setGeometry(0, 0, 1280, 800)
measurement: Any = None


def begin() -> None:
    """Once the desktop stands."""
    global measurement
    measurement = Measurement()


QTimer.singleShot(3000, begin)
