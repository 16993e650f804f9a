"""The routing ratio's row: a slider beside Processing's own number box, and what it trades.

The number box is the parameter; the slider only moves it.
"""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from ...processing.translation import tr
from .trade import describe_trade, load_curves

STEPS = 100  # of the slider, over 0…1


class RoutingRow(QWidget):
    """Wraps the widget of ROUTING_RATIO; call `follow` once the wrapper is complete."""

    def __init__(self, number: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("rasdRoutingSlider")
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 10)
        self.slider.setTickInterval(STEPS // 10)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setAccessibleName(tr("Share of points routed to the low-rank branch, percent"))
        self.trade = QLabel()
        self.trade.setObjectName("rasdRoutingTrade")
        self.trade.setWordWrap(True)
        ends = QHBoxLayout()
        ends.addWidget(QLabel(tr("attention alone")))
        ends.addWidget(self.slider, 1)
        ends.addWidget(QLabel(tr("low-rank alone")))
        ends.addWidget(number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(ends)
        layout.addWidget(self.trade)

    def follow(self, wrapper: Any, context: QgsProcessingContext) -> None:
        """Keep slider and number box together, whichever of them moves."""
        self._wrapper, self._context = wrapper, context
        self.slider.valueChanged.connect(self._slid)
        wrapper.widgetValueHasChanged.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the number box's value on the slider and in words."""
        ratio = float(self._wrapper.parameterValue() or 0.0)
        self.slider.blockSignals(True)
        self.slider.setValue(round(STEPS * ratio))
        self.slider.blockSignals(False)
        curves = load_curves()
        text = describe_trade(ratio, curves)
        self.trade.setText(tr("{} (measured on {}).").format(text, curves.scene))
        self.slider.setAccessibleDescription(text)

    def _slid(self, value: int) -> None:
        self._wrapper.setParameterValue(value / STEPS, self._context)
        self.refresh()
