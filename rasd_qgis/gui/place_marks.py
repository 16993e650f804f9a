"""Marks on the map where spectra are taken, in the colours of their curves."""

from __future__ import annotations

from qgis.core import QgsGeometry, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsRubberBand, QgsVertexMarker
from qgis.PyQt.QtGui import QColor

from .spectral_plot import COLOURS


class PlaceMarks:
    """Crosses for points, outlines for polygons."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._items: list[QgsRubberBand | QgsVertexMarker] = []

    def add(self, geometry: QgsGeometry, number: int) -> None:
        """Mark the place with that number, counted from 0."""
        colour = QColor(COLOURS[number % len(COLOURS)])
        if geometry.constGet().dimension() == 0:
            mark = QgsVertexMarker(self._canvas)
            mark.setCenter(geometry.asPoint())
            mark.setColor(colour)
            mark.setIconSize(12)
            mark.setPenWidth(3)
        else:
            mark = QgsRubberBand(self._canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
            mark.setToGeometry(geometry)
            mark.setStrokeColor(colour)
            mark.setFillColor(QColor(colour.red(), colour.green(), colour.blue(), 40))
            mark.setWidth(2)
        self._items.append(mark)

    def clear(self) -> None:
        """Take all marks off the map."""
        for item in self._items:
            self._canvas.scene().removeItem(item)
        self._items = []
