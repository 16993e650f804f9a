"""Base: what the algorithms of this provider have in common."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingAlgorithm, QgsProcessingException
from qgis.PyQt.QtGui import QIcon

from ..rasd_qgis.contract.errors import RasdError

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"


class RasdAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that makes itself anew and has this plugin's icon."""

    icon_name = "rasd_fusion.svg"

    def createInstance(self) -> RasdAlgorithm:
        """A fresh algorithm; QGIS asks for one a run."""
        return type(self)()

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
