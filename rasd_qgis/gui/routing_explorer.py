"""The routing explorer: a dock that cuts a confidence layer by a threshold, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qgis.core import QgsMapLayerProxyModel, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDockWidget,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from ...processing.styles import ConfidenceRamp, apply_look
from ...processing.translation import tr
from .routes import ATTENTION, LOW_RANK, Routes, is_confidence, show_routes

if TYPE_CHECKING:
    from qgis.gui import QgsMapCanvas

STEPS = 1000  # of the slider, over 0…1
SETTLE_MS = 40  # the map is recoloured at most this often while the slider moves


class RoutingDock(QDockWidget):
    """Threshold, stage, and the share of each branch in every stage."""

    def __init__(self, canvas: QgsMapCanvas, parent: QWidget | None = None) -> None:
        super().__init__(tr("Routing explorer"), parent)
        self.setObjectName("rasdRoutingExplorer")
        self._routes: Routes | None = None
        self._ours: set[str] = set()  # layers that are coloured by us now
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._recolour)
        self._build()
        self._only_confidence()
        project = QgsProject.instance()
        project.layersAdded.connect(self._only_confidence)
        project.layersRemoved.connect(self._only_confidence)
        project.layerTreeRoot().layerOrderChanged.connect(self._offer_top)

    @property
    def layer(self) -> QgsRasterLayer | None:
        """The layer that is explored."""
        return self._routes.layer if self._routes else None

    @property
    def band(self) -> int:
        """The band that is shown, 1-based."""
        return max(self._stage.currentIndex(), 0) + 1

    def set_threshold(self, threshold: float) -> None:
        """Move the threshold, 0…1."""
        self._number.setValue(threshold)

    def release(self) -> None:
        """Give every layer its usual look back."""
        self._settle.stop()
        for layer_id in self._ours:
            layer = QgsProject.instance().mapLayer(layer_id)
            if layer is not None:
                apply_look(layer, ConfidenceRamp())
        self._ours.clear()

    def _build(self) -> None:
        self._box = QgsMapLayerComboBox()
        self._box.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self._box.setAccessibleName(tr("Confidence layer"))
        self._box.layerChanged.connect(self._take)
        self._stage = QComboBox()
        self._stage.setAccessibleName(tr("Stage and scale of the network"))
        self._stage.currentIndexChanged.connect(self._changed)
        self._share = QLabel()
        self._share.setObjectName("rasdRouteShare")
        self._share.setWordWrap(True)
        self._bars = QGridLayout()
        self._bar_of: list[QProgressBar] = []
        self._build_threshold()
        form = QFormLayout()
        form.addRow(tr("Layer"), self._box)
        form.addRow(tr("Stage"), self._stage)
        form.addRow(tr("Threshold"), self._slider)
        form.addRow("", self._number)
        self._raise = _button(tr("Put the layer on top of the map"), "rasdRouteTop", self._to_top)
        form.addRow("", self._raise)
        form.addRow(
            _button(tr("Half of the points each"), "rasdRouteHalf", self._split_evenly),
            _button(tr("Usual colours"), "rasdRouteUsual", self.release),
        )
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.addLayout(form)
        layout.addWidget(self._share)
        layout.addLayout(self._bars)
        layout.addStretch(1)
        self.setWidget(body)

    def _build_threshold(self) -> None:
        """A slider and a number box that are one."""
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, STEPS)
        self._slider.setPageStep(STEPS // 20)
        self._slider.setAccessibleName(tr("Threshold of confidence"))
        self._number = QDoubleSpinBox()
        self._number.setRange(0.0, 1.0)
        self._number.setDecimals(3)
        self._number.setSingleStep(0.01)
        self._number.setAccessibleName(tr("Threshold of confidence, as a number"))
        self._slider.valueChanged.connect(lambda value: self._number.setValue(value / STEPS))
        self._number.valueChanged.connect(self._number_changed)
        self._number.setValue(0.5)

    def _only_confidence(self, *_: object) -> None:
        """Offer confidence layers alone."""
        layers = QgsProject.instance().mapLayers().values()
        self._box.setExceptedLayerList([layer for layer in layers if not is_confidence(layer)])
        self._take(self._box.currentLayer())

    def _take(self, layer: QgsRasterLayer | None) -> None:
        if layer is not None and layer is self.layer:
            return
        self._routes = Routes(layer) if is_confidence(layer) else None
        self._stage.blockSignals(True)
        self._stage.clear()
        if self._routes:
            self._stage.addItems(self._routes.bands())
        self._stage.blockSignals(False)
        self._list_bars()
        self._offer_top()
        if self._routes:
            self._split_evenly()
        else:
            self._share.setText(tr("Add a confidence layer that rasd:fuse made."))

    def _offer_top(self) -> None:
        """The button is of use only where other layers may cover this one."""
        above = QgsProject.instance().layerTreeRoot().layerOrder()[:1]
        self._raise.setVisible(self.layer is not None and self.layer not in above)

    def _to_top(self) -> None:
        """Move the layer above all others, out of its group."""
        root = QgsProject.instance().layerTreeRoot()
        node = root.findLayer(self.layer.id()) if self.layer else None
        if node is not None:
            root.insertChildNode(0, node.clone())
            node.parent().removeChildNode(node)

    def _list_bars(self) -> None:
        while self._bars.count():
            self._bars.takeAt(0).widget().deleteLater()
        self._bar_of = []
        for row, name in enumerate(self._routes.bands() if self._routes else []):
            bar = QProgressBar()
            bar.setRange(0, 1000)
            bar.setAccessibleName(tr("Low-rank share of {}").format(name))
            bar.setStyleSheet(
                f"QProgressBar {{ background: {ATTENTION}; border: 0; max-height: 12px; }}"
                f"QProgressBar::chunk {{ background: {LOW_RANK}; }}"
            )
            bar.setTextVisible(False)
            self._bars.addWidget(QLabel(name), row, 0)
            self._bars.addWidget(bar, row, 1)
            self._bars.addWidget(QLabel(), row, 2)
            self._bar_of.append(bar)

    def _split_evenly(self) -> None:
        if self._routes:
            self.set_threshold(self._routes.threshold_for(self.band, 0.5))
            self._changed()

    def _number_changed(self, value: float) -> None:
        self._slider.blockSignals(True)
        self._slider.setValue(round(value * STEPS))
        self._slider.blockSignals(False)
        self._changed()

    def _changed(self, *_: object) -> None:
        """Tell the shares at once, and recolour the map soon."""
        if self._routes is None:
            return
        threshold = self._number.value()
        share = self._routes.low_rank_share(self.band, threshold)
        text = tr("{} low-rank (yellow), {} attention (blue) at a threshold of {:.3f}.")
        self._share.setText(text.format(_percent(share), _percent(1 - share), threshold))
        for band, bar in enumerate(self._bar_of, start=1):
            one = self._routes.low_rank_share(band, threshold)
            bar.setValue(round(1000 * one))
            self._bars.itemAtPosition(band - 1, 2).widget().setText(_percent(one))
        self._settle.start()

    def _recolour(self) -> None:
        if self._routes is not None and self.isVisible():
            show_routes(self._routes.layer, self.band, self._number.value())
            self._ours.add(self._routes.layer.id())


def _button(text: str, name: str, call: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.clicked.connect(call)
    return button


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"
