"""The pre-flight panel: lights, one sentence each, and a button where one click can mend it.

A light differs by its shape and by its spoken name as well as by its colour.
"""

from __future__ import annotations

from collections.abc import Sequence

from qgis.PyQt.QtCore import QPointF, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QPainter, QPen, QPixmap
from qgis.PyQt.QtWidgets import (
    QGridLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ...processing.translation import tr
from .preflight import Check, Fix, Level, worst

LIGHT_SIDE = 18
# A green, an amber and a red of unlike lightness, white marks legible on each.
COLOURS = {Level.GOOD: "#1a7f37", Level.CARE: "#9a6700", Level.STOP: "#b42318"}
_TOP = Qt.AlignmentFlag.AlignTop
# The strokes of a tick, an exclamation mark and a cross, in shares of the light's side.
_MARKS = {
    Level.GOOD: [((0.28, 0.52), (0.44, 0.68)), ((0.44, 0.68), (0.72, 0.34))],
    Level.CARE: [((0.5, 0.24), (0.5, 0.56)), ((0.5, 0.74), (0.5, 0.76))],
    Level.STOP: [((0.32, 0.32), (0.68, 0.68)), ((0.68, 0.32), (0.32, 0.68))],
}


def level_name(level: Level) -> str:
    """What a screen reader says in place of a light."""
    names = {Level.GOOD: tr("good"), Level.CARE: tr("take care"), Level.STOP: tr("stop")}
    return names[level]


def light(level: Level, side: int = LIGHT_SIDE, density: float = 1.0) -> QPixmap:
    """A disc in the level's colour with the level's mark; density: device pixels a pixel."""
    picture = QPixmap(round(side * density), round(side * density))
    picture.setDevicePixelRatio(density)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(COLOURS[level]))
    painter.drawEllipse(QPointF(side / 2, side / 2), side / 2 - 0.5, side / 2 - 0.5)
    pen = QPen(QColor("white"), side / 9)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    for start, end in _MARKS[level]:
        painter.drawLine(QPointF(*start) * side, QPointF(*end) * side)
    painter.end()
    return picture


class PreflightPanel(QGroupBox):
    """Shows checks; `fixAsked` carries a Fix, `checkAsked` a wish to look again."""

    fixAsked = pyqtSignal(object)
    checkAsked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Before the run"), parent)
        self.setObjectName("rasdPreflight")
        self.checks: list[Check] = []
        self._summary = QLabel(self)
        self._summary.setObjectName("rasdPreflightSummary")
        self._summary.setWordWrap(True)
        self._again = QPushButton(tr("Check again"), self)
        self._again.setAccessibleDescription(tr("Look at both layers once more"))
        self._again.clicked.connect(self.checkAsked)
        self._grid = QGridLayout(self)
        self._grid.setHorizontalSpacing(8)
        self._grid.setColumnStretch(2, 1)
        self._grid.addWidget(self._summary, 0, 0, 1, 3)
        self._grid.addWidget(self._again, 0, 3, _TOP)
        self._row_widgets: list[QWidget] = []
        self.say(tr("Choose a hyperspectral and a multispectral layer."))

    def say(self, text: str) -> None:
        """Show a sentence alone."""
        self.checks = []
        self._summary.setText(text)
        self._fill([])

    def show_checks(self, checks: Sequence[Check]) -> None:
        """Show the checks under a line that sums them up."""
        self.checks = list(checks)
        levels = [check.level for check in checks]
        stops, cares = levels.count(Level.STOP), levels.count(Level.CARE)
        texts = {
            Level.GOOD: tr("Nothing stands against fusing these layers."),
            Level.CARE: tr("Checks that want a look: {} of {}.").format(cares, len(checks)),
            Level.STOP: tr("Checks that stand against this run: {} of {}.").format(
                stops, len(checks)
            ),
        }
        self._summary.setText(texts[worst(checks)])
        self._fill(checks)

    def _fill(self, checks: Sequence[Check]) -> None:
        for widget in self._row_widgets:
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._row_widgets = []
        for row, check in enumerate(checks, start=1):
            mark, title, sentence, *button = widgets = self._row(check)
            self._grid.addWidget(mark, row, 0, _TOP)
            self._grid.addWidget(title, row, 1, _TOP)
            self._grid.addWidget(sentence, row, 2, 1, 1 if button else 2)
            if button:
                self._grid.addWidget(button[0], row, 3, _TOP)
            self._row_widgets += widgets

    def _row(self, check: Check) -> list[QWidget]:
        """Light, title, sentence and, where there is a fix, its button."""
        spoken = f"{check.title}, {level_name(check.level)}"
        mark = QLabel(self)
        mark.setPixmap(light(check.level, density=self.devicePixelRatioF()))
        mark.setAccessibleName(spoken)
        mark.setToolTip(level_name(check.level))
        title = QLabel(check.title, self)
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        sentence = QLabel(check.sentence, self)
        sentence.setWordWrap(True)
        sentence.setAlignment(_TOP)
        sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        sentence.setAccessibleName(f"{spoken}: {check.sentence}")
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        sentence.setSizePolicy(policy)
        return [mark, title, sentence, *([self._button(check, check.fix)] if check.fix else [])]

    def _button(self, check: Check, fix: Fix) -> QPushButton:
        button = QPushButton(fix.label, self)
        button.setObjectName(f"rasdFix_{fix.kind}")
        button.setAccessibleDescription(check.sentence)
        button.clicked.connect(lambda: self.fixAsked.emit(fix))
        return button
