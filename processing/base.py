"""Base: what the algorithms of this provider have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qgis.core import QgsProcessingAlgorithm, QgsProcessingException
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QWidget

from ..rasd_qgis.contract.errors import RasdError

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"

# By algorithm name: what makes the window that opens in place of Processing's plain one. Filled by
# the plugin in a desktop; qgis_process knows no windows.
windows: dict[str, Callable[[QgsProcessingAlgorithm, QWidget | None], QWidget]] = {}


class RasdAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that makes itself anew and has this plugin's icon."""

    icon_name = "rasd_fusion.svg"

    def createInstance(self) -> RasdAlgorithm:
        """A fresh algorithm; QGIS asks for one a run."""
        return type(self)()

    def createCustomParametersWidget(self, parent: QWidget | None = None) -> QWidget | None:
        """The algorithm's own window, None for Processing's plain one."""
        make = windows.get(self.name())
        return make(self, parent) if make else None

    def icon(self) -> QIcon:
        """The icon in the toolbox."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """The path of the icon."""
        return str(ICONS / self.icon_name)


def one_line_paragraphs(text: str) -> str:
    """`text` with a line a paragraph, the form in which QGIS shows help."""
    return "\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def as_processing_error(error: RasdError) -> QgsProcessingException:
    """The error in the form that makes QGIS show its sentence and end the algorithm."""
    return QgsProcessingException(str(error))
