"""Shipped models: the graphical models of resources/models as algorithms of this provider."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon

from .base import ICONS
from .translation import mark, tr

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "models"
# A model's name is its id, so what the toolbox shows stands here.
TITLES = {
    "fuse_and_assess": mark("Fuse and assess"),
    "fuse_and_derive": mark("Fuse, then vegetation index and principal components"),
    "simulate_fuse_assess": mark("Simulate, fuse, assess"),
    "fuse_folder_of_pairs": mark("Fuse a folder of pairs, trained once"),
}


class ShippedModel(QgsProcessingModelAlgorithm):
    """A graphical model under a readable name."""

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr(TITLES.get(self.name(), self.name()))

    def icon(self) -> QIcon:
        """The icon in the toolbox."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """The path of the icon."""
        return str(ICONS / "rasd_fusion.svg")


def shipped_models() -> list[ShippedModel]:
    """The models, once the algorithms that they are made of can be found in the registry."""
    models = []
    for path in sorted(FOLDER.glob("*.model3")):
        model = ShippedModel()
        if model.fromFile(str(path)):
            model.setSourceFilePath(str(path))
            models.append(model)
    return models
