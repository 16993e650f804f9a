"""The swipe view: two pictures of one ground, one left and one right of a line that is dragged."""

from __future__ import annotations

from qgis.PyQt.QtCore import QPointF, QRectF, Qt, pyqtSignal
from qgis.PyQt.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextOption,
)
from qgis.PyQt.QtWidgets import QSizePolicy, QWidget

KEY_STEP = 0.05


class SwipeView(QWidget):
    """Shows both pictures at the same place and scale; arrow keys move the line as well."""

    moved = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(256, 256)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._left, self._right = QImage(), QImage()
        self._names = ("", "")
        self._position = 0.5

    @property
    def position(self) -> float:
        """Where the line stands, 0 at the left border of the picture, 1 at the right."""
        return self._position

    def set_position(self, position: float) -> None:
        """Move the line."""
        self._position = min(max(position, 0.0), 1.0)
        self.update()
        self.moved.emit(self._position)

    def show_images(self, left: QImage, right: QImage, names: tuple[str, str]) -> None:
        """Show two pictures and what they are called."""
        self._left, self._right, self._names = left, right, names
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt to draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        place = self._place()
        if place.isEmpty():
            return
        line = place.left() + self._position * place.width()
        painter.drawImage(place, self._right)
        painter.setClipRect(QRectF(place.left(), place.top(), line - place.left(), place.height()))
        painter.drawImage(place, self._left)
        painter.setClipping(False)
        painter.setPen(QPen(QColor("white"), 3))
        painter.drawLine(QPointF(line, place.top()), QPointF(line, place.bottom()))
        painter.setPen(QPen(QColor("black"), 1))
        painter.drawLine(QPointF(line, place.top()), QPointF(line, place.bottom()))
        _name(painter, place, self._names[0])
        _name(painter, place, self._names[1], at_right=True)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Called by Qt: the line jumps to the mouse."""
        self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Called by Qt while a button is down: the line follows."""
        self._follow(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Called by Qt: the arrows move the line."""
        steps = {Qt.Key.Key_Left: -KEY_STEP, Qt.Key.Key_Right: KEY_STEP}
        if event.key() in steps:
            self.set_position(self._position + steps[event.key()])
        else:
            super().keyPressEvent(event)

    def _follow(self, event: QMouseEvent) -> None:
        place = self._place()
        if not place.isEmpty():
            self.set_position((event.pos().x() - place.left()) / place.width())

    def _place(self) -> QRectF:
        """Where the pictures stand: as large as fits, in their own proportions."""
        if self._left.isNull() or self._right.isNull():
            return QRectF()
        width, height = self._left.width(), self._left.height()
        scale = min(self.width() / width, self.height() / height)
        size = width * scale, height * scale
        return QRectF((self.width() - size[0]) / 2, (self.height() - size[1]) / 2, *size)


def _name(painter: QPainter, place: QRectF, text: str, at_right: bool = False) -> None:
    side = Qt.AlignmentFlag.AlignRight if at_right else Qt.AlignmentFlag.AlignLeft
    box = place.adjusted(8, 6, -8, -6)
    option = QTextOption(side | Qt.AlignmentFlag.AlignTop)
    painter.setPen(QColor(0, 0, 0, 200))
    painter.drawText(box.translated(1, 1), text, option)
    painter.setPen(QColor("white"))
    painter.drawText(box, text, option)
