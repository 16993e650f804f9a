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
        self._shown = True

    def add(self, geometry: QgsGeometry, number: int) -> None:
        """Mark the place with that number, counted from 0."""
        colour = QColor(COLOURS[number % len(COLOURS)])
        if geometry.constGet().dimension() == 0:
            # A white cross below keeps the coloured one visible on any ground.
            self._cross(geometry, QColor("white"), 14, 7)
            self._cross(geometry, colour, 12, 3)
        else:
            self._outline(geometry, colour)

    def show(self, shown: bool) -> None:
        """Show or hide all marks, those still to come as well."""
        self._shown = shown
        for item in self._items:
            item.setVisible(shown)

    def clear(self) -> None:
        """Take all marks off the map."""
        for item in self._items:
            self._canvas.scene().removeItem(item)
        self._items = []

    def _cross(self, geometry: QgsGeometry, colour: QColor, side: int, pen: int) -> None:
        mark = QgsVertexMarker(self._canvas)
        mark.setCenter(geometry.asPoint())
        mark.setColor(colour)
        mark.setIconType(QgsVertexMarker.IconType.ICON_X)
        mark.setIconSize(side)
        mark.setPenWidth(pen)
        self._keep(mark)

    def _outline(self, geometry: QgsGeometry, colour: QColor) -> None:
        mark = QgsRubberBand(self._canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        mark.setToGeometry(geometry)
        mark.setStrokeColor(colour)
        mark.setFillColor(QColor(colour.red(), colour.green(), colour.blue(), 40))
        mark.setWidth(2)
        self._keep(mark)

    def _keep(self, mark: QgsRubberBand | QgsVertexMarker) -> None:
        mark.setVisible(self._shown)
        self._items.append(mark)
