"""The provider: RASD Fusion's entry in the Processing Toolbox."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from ..rasd_qgis.engine_link.child import stop_all
from .assess import AssessAlgorithm
from .base import ICONS
from .confidence_map import ConfidenceMapAlgorithm
from .derive import DeriveAlgorithm
from .fuse import FuseAlgorithm
from .fuse_folder import FuseFolderAlgorithm
from .setup_engine import SetupEngineAlgorithm
from .shipped_models import shipped_models
from .simulate import SimulateAlgorithm
from .train import TrainAlgorithm
from .version import plugin_version

ALGORITHMS = (
    FuseAlgorithm,
    SimulateAlgorithm,
    AssessAlgorithm,
    TrainAlgorithm,
    ConfidenceMapAlgorithm,
    FuseFolderAlgorithm,
    DeriveAlgorithm,
    SetupEngineAlgorithm,
)


class RasdProvider(QgsProcessingProvider):
    """Provides the algorithms under the id `rasd`."""

    def id(self) -> str:
        """The id, which never changes and is never translated."""
        return "rasd"

    def name(self) -> str:
        """The name in the toolbox."""
        return "RASD Fusion"

    def versionInfo(self) -> str:
        """The plugin's version."""
        return plugin_version()

    def icon(self) -> QIcon:
        """The icon in the toolbox."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """The path of the icon."""
        return str(ICONS / "rasd_fusion.svg")

    def unload(self) -> None:
        """Called by QGIS when the provider is removed: no engine outlives it."""
        stop_all()

    def loadAlgorithms(self) -> None:
        """Add every algorithm, and the graphical models once QGIS can find what these consist of.

        The registry does not know this provider yet when it loads it for the first time.
        """
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
        if QgsApplication.processingRegistry().providerById(self.id()) is not None:
            for model in shipped_models():
                self.addAlgorithm(model)
