"""Map tools: pick a point, or draw a polygon, in the CRS of the map."""

from __future__ import annotations

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QKeyEvent


class PointTool(QgsMapTool):
    """Left click: a place."""

    placed = pyqtSignal(object)

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """Called by QGIS when a button is let go."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.placed.emit(QgsGeometry.fromPointXY(event.mapPoint()))


class PolygonTool(QgsMapTool):
    """Left click: a corner; right click or Enter: done; Escape: begin anew."""

    placed = pyqtSignal(object)

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._corners: list[QgsPointXY] = []
        self._band = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._band.setColor(QColor(0, 114, 178, 90))
        self._band.setWidth(2)

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """Called by QGIS when a button is let go."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._corners.append(event.mapPoint())
            self._band.addPoint(event.mapPoint())
        else:
            self._finish()

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:
        """Called by QGIS when the mouse moves."""
        if self._corners:
            self._band.movePoint(event.mapPoint())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Called by QGIS when a key is pressed over the map."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish()
        elif event.key() == Qt.Key.Key_Escape:
            self._begin_anew()

    def deactivate(self) -> None:
        """Called by QGIS when another tool is taken."""
        self._begin_anew()
        super().deactivate()

    def _finish(self) -> None:
        corners = list(self._corners)
        self._begin_anew()
        if len(corners) >= 3:
            self.placed.emit(QgsGeometry.fromPolygonXY([corners]))

    def _begin_anew(self) -> None:
        self._corners = []
        self._band.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
