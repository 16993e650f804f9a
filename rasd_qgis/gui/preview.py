"""The preview: what the map shows, fused before the long run, with the ratio at hand.

With model “scene” the first picture trains for a few seconds on this ground alone; each further
ratio runs the same model again in the engine that is still warm.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtGui import QCloseEvent, QGuiApplication
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from ...processing import fuse_parameters as names
from ...processing.translation import tr
from ...processing.values import raster_layer
from ..contract.errors import Cancelled, RasdError
from ..engine_link.environment import require_engine
from .background import Background, ask_engine
from .preview_images import Pictures, draw, preview_extent
from .swipe_view import SwipeView

TRAINING_MINUTES = 0.1
SETTLE_MS = 250
STEPS = 20  # of the ratio, over 0…1

Values = dict[str, Any]


class PreviewWindow(QDialog):
    """Fused against the upsampled input, and the confidence, on a part of the scene.

    get_values: the fusion dialog's parameters as they stand. get_shown: the map's extent and CRS,
    or None where there is no map. set_ratio: tells the dialog the ratio that was chosen here.
    """

    def __init__(
        self,
        algorithm: QgsProcessingAlgorithm,
        get_values: Callable[[], Values],
        get_shown: Callable[[], tuple[Any, Any] | None],
        set_ratio: Callable[[float], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("rasdPreview")
        self.setWindowTitle(tr("RASD Fusion: preview"))
        room = QGuiApplication.primaryScreen().availableGeometry().height() * 9 // 10
        self.resize(700, min(780, room))
        self._algorithm, self._context = algorithm, QgsProcessingContext()
        self._context.setProject(QgsProject.instance())
        self._get_values, self._get_shown, self._set_ratio = get_values, get_shown, set_ratio
        self._folder: Path | None = None
        self._values: Values = {}
        self._coarse: QgsRasterLayer | None = None
        self._task: Background | None = None
        self._started, self._trains = 0.0, False
        self.pictures: Pictures | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._run_at_ratio)
        self._build()

    @property
    def ratio(self) -> float:
        """The routing ratio that is shown, or on its way."""
        return self._slider.value() / STEPS

    def begin(self) -> None:
        """Fuse what the map shows now; all that was shown before is forgotten."""
        self._end()
        self._folder = folder = Path(tempfile.mkdtemp(prefix="rasd-preview-"))
        try:
            self._values = self._first_values(self._get_values(), folder)
        except RasdError as error:
            self._say(str(error))
            return
        self._slider.blockSignals(True)
        self._slider.setValue(round(STEPS * float(self._values[names.ROUTING_RATIO])))
        self._slider.blockSignals(False)
        self._name_ratio()
        training = tr("Training a few seconds on this ground, then fusing…")
        self._say(training if self._trains else tr("Fusing what the map shows…"))
        self._run()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Called by Qt when the window is closed."""
        self._end()
        super().closeEvent(event)

    def reject(self) -> None:
        """Called on Escape."""
        self._end()
        super().reject()

    def _first_values(self, values: Values, folder: Path) -> Values:
        coarse = raster_layer(self._algorithm, values, names.INPUT_HS, self._context)
        guide = raster_layer(self._algorithm, values, names.INPUT_MS, self._context)
        shown, crs = self._get_shown() or (None, guide.crs())
        place = preview_extent(guide, coarse, shown, crs)
        self._coarse = coarse
        self._trains = values[names.MODEL] == "scene"
        model = str(folder / "model.safetensors") if self._trains else None
        return {
            **values,
            names.EXTENT: _as_extent(place, guide.crs().authid()),
            names.TRAINING_MINUTES: min(
                TRAINING_MINUTES, float(values.get(names.TRAINING_MINUTES) or TRAINING_MINUTES)
            ),
            names.OUTPUT: str(folder / "fused.tif"),
            names.CONFIDENCE: str(folder / "confidence.tif"),
            names.UNCERTAINTY: None,
            names.MODEL_OUTPUT: model,
        }

    def _run_at_ratio(self) -> None:
        """Run the model of the first picture at the slider's ratio."""
        if self._folder is None or not self._values:
            return
        self._values[names.ROUTING_RATIO] = self.ratio
        self._run()

    def _run(self) -> None:
        self._stop()
        try:
            values = {name: v for name, v in self._values.items() if v is not None}
            request = names.make_request(self._algorithm, values, self._context)
            python = require_engine()
        except RasdError as error:
            self._say(str(error))
            return
        self._progress.setRange(0, 0)
        self._started = time.monotonic()
        self._task = ask_engine(tr("Preview"), request, python, self._answered)

    def _answered(self, outcome: Any) -> None:
        self._task = None
        self._progress.setRange(0, 1)
        if isinstance(outcome, RasdError):
            self._say("" if isinstance(outcome, Cancelled) else str(outcome))
            return
        seconds = time.monotonic() - self._started
        model = self._values.pop(names.MODEL_OUTPUT, None)
        if model:
            self._values |= {names.MODEL: "file", names.MODEL_FILE: model}
            self._values[names.TRAINING_STEPS] = None
        self.pictures = draw(
            self._values[names.OUTPUT],
            self._values[names.CONFIDENCE],
            self._coarse,
            outcome.get("RGB"),
        )
        self._show_pictures()
        share = round(100 * outcome["LOW_RANK_SHARE"])
        said = tr("{} % of the points low-rank; {:.1f} s.").format(share, seconds)
        trained = tr("The long run trains longer, on all of it.")
        self._say(f"{said} {trained}" if self._trains else said)

    def _show_pictures(self) -> None:
        if self.pictures is None:
            return
        before = tr("input, upsampled")
        if self._confidence.isChecked():
            self.view.show_images(
                self.pictures.confidence, self.pictures.fused, (tr("confidence"), tr("fused"))
            )
        else:
            self.view.show_images(self.pictures.fused, self.pictures.before, (tr("fused"), before))

    def _build(self) -> None:
        self.view = SwipeView()
        self.view.setAccessibleName(tr("Preview; the arrow keys move the dividing line"))
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, STEPS)
        self._slider.setObjectName("rasdPreviewRatio")
        self._slider.setAccessibleName(tr("Share of points routed to the low-rank branch"))
        self._slider.valueChanged.connect(self._ratio_changed)
        self._ratio_text = QLabel()
        self._confidence = QCheckBox(tr("Confidence"))
        self._confidence.setObjectName("rasdPreviewConfidence")
        self._confidence.toggled.connect(lambda _: self._show_pictures())
        self._message = QLabel()
        self._message.setObjectName("rasdPreviewMessage")
        self._message.setWordWrap(True)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setMaximumHeight(6)
        row = QHBoxLayout()
        row.addWidget(QLabel(tr("Low-rank share")))
        row.addWidget(self._slider, 1)
        row.addWidget(self._ratio_text)
        row.addWidget(self._confidence)
        layout = QVBoxLayout(self)
        layout.addWidget(self.view, 1)
        layout.addLayout(row)
        layout.addWidget(self._progress)
        layout.addWidget(self._message)

    def _ratio_changed(self, _: int) -> None:
        self._name_ratio()
        self._set_ratio(self.ratio)
        self._timer.start()

    def _name_ratio(self) -> None:
        self._ratio_text.setText(f"{100 * self.ratio:.0f}\u00a0%")

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.stop()

    def _end(self) -> None:
        """Stop, and remove the files."""
        self._timer.stop()
        self._stop()
        self._values = {}
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _say(self, text: str) -> None:
        self._message.setText(text)


def _as_extent(box: QgsRectangle, crs: str) -> str:
    """The extent as Processing reads it; without a CRS it is the guide's."""
    edges = (box.xMinimum(), box.xMaximum(), box.yMinimum(), box.yMaximum())
    return ",".join(f"{edge!r}" for edge in edges) + (f" [{crs}]" if crs else "")
