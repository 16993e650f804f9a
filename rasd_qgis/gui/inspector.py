"""The spectral inspector: a dock that shows what layers hold at points and inside polygons."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from qgis.core import QgsGeometry, QgsPointXY, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtGui import QGuiApplication
from qgis.PyQt.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ...processing.translation import tr
from ..contract.errors import RasdError
from .background import Background
from .band_knowledge import BandKnowledge
from .place_marks import PlaceMarks
from .place_tools import PointTool, PolygonTool
from .spectra import Place, Spectrum, as_rows
from .spectra_task import read_all, readings
from .spectral_plot import SpectralPlot

if TYPE_CHECKING:
    from qgis.gui import QgsMapCanvas

LEAST_BANDS = 3
_ID = Qt.ItemDataRole.UserRole


class InspectorDock(QDockWidget):
    """Spectra of the project's layers at places of the map."""

    def __init__(self, canvas: QgsMapCanvas, parent: QWidget | None = None) -> None:
        super().__init__(tr("Spectral inspector"), parent)
        self.setObjectName("rasdSpectralInspector")
        self.places: list[Place] = []
        self.spectra: list[Spectrum] = []
        self._canvas = canvas
        self._task: Background | None = None
        self._unchosen: set[str] = set()
        self._marks = PlaceMarks(canvas)
        self._knowledge = BandKnowledge(self)
        self._knowledge.learned.connect(self._list_layers)
        self._knowledge.failed.connect(self._say)
        self._tools: dict[str, Any] = {"point": PointTool(canvas), "polygon": PolygonTool(canvas)}
        for tool in self._tools.values():
            tool.placed.connect(self.add_place)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(150)
        self._settle.timeout.connect(self._look_at_project)
        self._build()
        self.visibilityChanged.connect(self._seen)
        project = QgsProject.instance()
        project.layersAdded.connect(self._settle.start)
        project.layersRemoved.connect(self._settle.start)
        self._look_at_project()

    def add_place(self, geometry: QgsGeometry) -> None:
        """Take spectra at a geometry in the map's CRS as well."""
        kind = tr("point") if geometry.constGet().dimension() == 0 else tr("polygon")
        number = len(self.places) + 1
        self.places.append(Place(f"{number} ({kind})", geometry))
        self._marks.add(geometry, number - 1)
        self.read()

    def clear(self) -> None:
        """Forget all places."""
        self.places = []
        self._marks.clear()
        self.read()

    def read(self) -> None:
        """Read the chosen layers at all places, then draw."""
        if self._task is not None:
            self._task.stop()
        layers = [(layer, self._knowledge.bands(layer)) for layer in self.chosen_layers()]
        todo = readings(self.places, layers, QgsProject.instance())
        self._task = read_all(todo, self._show)

    def chosen_layers(self) -> list[QgsRasterLayer]:
        """The layers whose boxes are ticked."""
        items = [self._list.item(row) for row in range(self._list.count())]
        ticked = [item.data(_ID) for item in items if item.checkState() == Qt.CheckState.Checked]
        return [layer for layer in map(QgsProject.instance().mapLayer, ticked) if layer]

    def as_text(self, delimiter: str = "\t") -> str:
        """The shown spectra as a table."""
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(
            as_rows(self.spectra, self.places)
        )
        return text.getvalue()

    def copy(self) -> None:
        """Put the table on the clipboard."""
        QGuiApplication.clipboard().setText(self.as_text())
        self._say(tr("{} spectra copied as a table.").format(len(self.spectra)))

    def save_csv(self, path: str = "") -> None:
        """Write the table; asks for the file where none is given."""
        path = path or self._ask_path(tr("Save spectra"), "CSV (*.csv)", ".csv")
        if path:
            self._try_to_save(path, lambda: _write_text(path, self.as_text(",")))

    def save_png(self, path: str = "") -> None:
        """Write the plot as a picture; asks for the file where none is given."""
        path = path or self._ask_path(tr("Save the plot"), "PNG (*.png)", ".png")
        if path:
            self._try_to_save(path, lambda: self.plot.save(path))

    def release(self) -> None:
        """Leave nothing on the map, and no tool of ours in hand."""
        self._knowledge.cancel()
        self._settle.stop()
        if self._task is not None:
            self._task.stop()
        self._marks.clear()
        for tool in self._tools.values():
            self._canvas.unsetMapTool(tool)

    def _build(self) -> None:
        self.plot = SpectralPlot()
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Layers whose spectra are shown"))
        self._list.itemChanged.connect(self._ticked)
        self._message = QLabel()
        self._message.setWordWrap(True)
        self._entry = QLineEdit()
        self._entry.setPlaceholderText(tr("x, y in the map's CRS"))
        self._entry.setAccessibleName(tr("Coordinates of a point to add"))
        self._entry.returnPressed.connect(self._add_entered)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.plot)
        split.addWidget(self._list)
        split.setStretchFactor(0, 4)
        split.setStretchFactor(1, 1)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.addLayout(self._place_row())
        layout.addWidget(self._entry)
        layout.addWidget(split, 1)
        layout.addLayout(self._save_row())
        layout.addWidget(self._message)
        self.setWidget(body)

    def _place_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for name, text in (("point", tr("Pick points")), ("polygon", tr("Draw a polygon"))):
            button = _button(text, f"rasdPick_{name}", row)
            button.setCheckable(True)
            button.toggled.connect(lambda on, name=name: self._take_tool(name, on))
            self._tools[name].activated.connect(lambda b=button: b.setChecked(True))
            self._tools[name].deactivated.connect(lambda b=button: b.setChecked(False))
        row.addStretch(1)
        _button(tr("Clear"), "rasdClearPlaces", row).clicked.connect(self.clear)
        return row

    def _save_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        _button(tr("Copy"), "rasdCopySpectra", row).clicked.connect(self.copy)
        _button(tr("Save CSV…"), "rasdSaveCsv", row).clicked.connect(lambda: self.save_csv())
        picture = _button(tr("Save PNG…"), "rasdSavePng", row)
        picture.clicked.connect(lambda: self.save_png())
        picture.setEnabled(self.plot.can_draw)
        row.addStretch(1)
        return row

    def _seen(self, shown: bool) -> None:
        """Called by Qt when the dock is closed, opened, or covered by another one's tab."""
        hidden = self.isHidden()
        self._marks.show(not hidden)
        if hidden:
            for tool in self._tools.values():
                self._canvas.unsetMapTool(tool)

    def _take_tool(self, name: str, on: bool) -> None:
        if on:
            self._canvas.setMapTool(self._tools[name])
        else:
            self._canvas.unsetMapTool(self._tools[name])

    def _add_entered(self) -> None:
        try:
            x, y = (float(part) for part in self._entry.text().replace(";", ",").split(","))
        except ValueError:
            self._say(tr("Give two numbers with a comma between: x, y."))
            return
        self._entry.clear()
        self.add_place(QgsGeometry.fromPointXY(QgsPointXY(x, y)))

    def _look_at_project(self) -> None:
        self._list_layers()
        self._knowledge.ask(_spectral_layers())

    def _list_layers(self) -> None:
        """List the project's layers, ticked where wavelengths are known; an untick stays."""
        layers = _spectral_layers()
        known = {layer.id(): self._knowledge.bands(layer).has_wavelengths for layer in layers}
        self._list.blockSignals(True)
        self._list.clear()
        for layer in layers:
            item = QListWidgetItem(tr("{} ({} bands)").format(layer.name(), layer.bandCount()))
            item.setData(_ID, layer.id())
            on = (known[layer.id()] or not any(known.values())) and layer.id() not in self._unchosen
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self._list.addItem(item)
        self._list.blockSignals(False)
        self.read()

    def _ticked(self, item: QListWidgetItem) -> None:
        on = item.checkState() == Qt.CheckState.Checked
        (self._unchosen.discard if on else self._unchosen.add)(item.data(_ID))
        self.read()

    def _show(self, spectra: Any) -> None:
        if isinstance(spectra, RasdError):
            self._say(str(spectra))
            return
        self.spectra = spectra
        self.plot.draw(spectra)
        silent = {place.name for place in self.places} - {one.place for one in spectra}
        if not self.places:
            self._say(tr("Pick points on the map, or draw a polygon; spectra show here."))
        elif silent:
            self._say(tr("No layer has data at {}.").format(", ".join(sorted(silent))))
        else:
            self._say("")

    def _say(self, text: str) -> None:
        self._message.setText(text)

    def _ask_path(self, title: str, kinds: str, suffix: str) -> str:
        path, _ = QFileDialog.getSaveFileName(self, title, "", kinds)
        return path if not path or path.lower().endswith(suffix) else path + suffix

    def _try_to_save(self, path: str, save: Any) -> None:
        try:
            save()
        except OSError as error:
            text = tr("{} cannot be written ({}); choose another place.")
            self._say(text.format(path, error.strerror or error))
        else:
            self._say(tr("Saved as {}.").format(path))


def _spectral_layers() -> list[QgsRasterLayer]:
    """The project's raster layers of files with several bands, in the order of the layer tree."""
    order = QgsProject.instance().layerTreeRoot().layerOrder()
    return [
        layer
        for layer in order
        if isinstance(layer, QgsRasterLayer)
        and layer.providerType() == "gdal"
        and layer.bandCount() >= LEAST_BANDS
    ]


def _button(text: str, name: str, row: QHBoxLayout) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    row.addWidget(button)
    return button


def _write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
