"""The fusion dialog: Processing's dialog of rasd:fuse with the fusion panel in it.

Running, log, cancel, history, batch, and the copy as a command are all Processing's own.
"""

from __future__ import annotations

from processing.gui.AlgorithmDialog import AlgorithmDialog
from qgis.core import QgsCoordinateReferenceSystem, QgsProcessingAlgorithm, QgsRectangle
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QCloseEvent, QGuiApplication
from qgis.PyQt.QtWidgets import QDialogButtonBox, QPushButton, QWidget
from qgis.utils import iface

from ...processing.translation import tr
from . import opening
from .fusion_panel import FusionPanel
from .preview import PreviewWindow

SIZE = QSize(920, 820)


class FusionDialog(AlgorithmDialog):
    """Fills in and runs rasd:fuse."""

    def __init__(self, algorithm: QgsProcessingAlgorithm, parent: QWidget | None = None) -> None:
        super().__init__(algorithm, parent=parent)
        self.setObjectName("rasdFusionDialog")
        self._grow()
        self.mainWidget().setupAsked.connect(self._set_up)
        self._preview: PreviewWindow | None = None
        button = QPushButton(tr("Preview…"))
        button.setObjectName("rasdPreviewButton")
        button.setToolTip(tr("Fuse what the map shows, in seconds"))
        button.clicked.connect(self.preview)
        self.buttonBox().addButton(button, QDialogButtonBox.ButtonRole.ResetRole)

    def getParametersPanel(self, algorithm: QgsProcessingAlgorithm, parent: QWidget) -> FusionPanel:
        """Called by Processing's dialog for what stands in its first tab."""
        return FusionPanel(parent, algorithm)

    def runAlgorithm(self) -> None:
        """Called by the Run button; the choice is remembered and the pre-flight check ends."""
        self.mainWidget().remember()
        self.mainWidget().inspection.cancel()
        super().runAlgorithm()

    def reject(self) -> None:
        """Called on Close and Escape."""
        self._leave()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Called when the window is closed."""
        self._leave()
        super().closeEvent(event)

    def preview(self) -> None:
        """Show what the map shows as this dialog would fuse it."""
        if self._preview is None:
            panel = self.mainWidget()
            self._preview = PreviewWindow(
                self.algorithm(),
                panel.createProcessingParameters,
                _shown_extent,
                panel.take_ratio,
                self,
            )
        self._preview.show()
        self._preview.begin()

    def _grow(self) -> None:
        """Room for the checks beside the layers, as far as the screen has it."""
        screen = QGuiApplication.primaryScreen().availableGeometry()
        wanted = QSize(SIZE.width(), min(SIZE.height(), screen.height() * 9 // 10))
        self.resize(self.size().expandedTo(wanted).boundedTo(screen.size()))

    def _set_up(self) -> None:
        """Open the set-up; the layers are looked at again once there is an engine."""
        window = opening.setup_window(self.parentWidget())
        window.changed.connect(self.mainWidget().inspection.ask_soon)

    def _leave(self) -> None:
        if self._preview is not None:
            self._preview.close()
        panel = self.mainWidget()
        if panel is not None:
            panel.inspection.cancel()
            panel.remember()


def _shown_extent() -> tuple[QgsRectangle, QgsCoordinateReferenceSystem] | None:
    """What the map shows, None where there is no map."""
    canvas = iface.mapCanvas() if iface is not None else None
    if canvas is None or canvas.extent().isEmpty():
        return None
    return canvas.extent(), canvas.mapSettings().destinationCrs()
