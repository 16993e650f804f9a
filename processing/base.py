"""Base: what the algorithms of this provider have in common.

An algorithm says in `words` what the toolbox shows of it, and in `form`, a module, what is asked of
the analyst. Its help is resources/help/<id>.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputDefinition,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QWidget

from ..rasd_qgis.contract.errors import RasdError
from ..rasd_qgis.engine_link.environment import require_engine
from .translation import tr

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
ICONS, HELP = RESOURCES / "icons", RESOURCES / "help"

# By algorithm name: what makes the window that opens in place of Processing's plain one. Filled by
# the plugin in a desktop; qgis_process knows no windows.
windows: dict[str, Callable[[QgsProcessingAlgorithm, QWidget | None], QWidget]] = {}


@dataclass(frozen=True)
class Words:
    """What the toolbox shows of an algorithm, in English; all but the id are translated."""

    id: str  # never changes
    title: str
    tip: str
    tags: str  # with commas between
    icon: str = "rasd_fusion.svg"


class Form(Protocol):
    """What an algorithm asks for, and gives besides its destinations; a module is one."""

    def parameters(self) -> list[QgsProcessingParameterDefinition]:
        """In the order the dialog shows them, the advanced ones last."""

    def outputs(self) -> list[QgsProcessingOutputDefinition]:
        """Those that no parameter makes."""


class RasdAlgorithm(QgsProcessingAlgorithm):
    """An algorithm of `words` and `form`, which has this plugin's icon and makes itself anew."""

    words: Words
    form: Form

    def createInstance(self) -> RasdAlgorithm:
        """A fresh algorithm; QGIS asks for one a run."""
        return type(self)()

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in self.form.parameters():
            self.addParameter(parameter)
        for output in self.form.outputs():
            self.addOutput(output)

    def name(self) -> str:
        """The id."""
        return self.words.id

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr(self.words.title)

    def tags(self) -> list[str]:
        """Words that find it in the toolbox, in English as well."""
        return list(dict.fromkeys(f"{self.words.tags},{tr(self.words.tags)}".split(",")))

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr(self.words.tip)

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return "\n".join(map(tr, help_paragraphs(self.words.id)))

    def createCustomParametersWidget(self, parent: QWidget | None = None) -> QWidget | None:
        """The algorithm's own window, None for Processing's plain one."""
        make = windows.get(self.name())
        return make(self, parent) if make else None

    def icon(self) -> QIcon:
        """The icon in the toolbox."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """The path of the icon."""
        return str(ICONS / self.words.icon)


class NeedsEngine(RasdAlgorithm):
    """An algorithm that can run only where the engine is set up."""

    def canExecute(self) -> tuple[bool, str]:
        """False, with what to do, where the engine is not set up."""
        try:
            require_engine()
        except RasdError as error:
            return False, str(error)
        return True, ""


def help_paragraphs(name: str) -> list[str]:
    """The help of an algorithm, a line a paragraph, the form in which QGIS shows help."""
    text = (HELP / f"{name}.md").read_text(encoding="utf-8")
    return [" ".join(part.split()) for part in text.split("\n\n")]


def as_processing_error(error: RasdError) -> QgsProcessingException:
    """The error in the form that makes QGIS show its sentence and end the algorithm."""
    return QgsProcessingException(str(error))
