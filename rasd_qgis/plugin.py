"""The plugin's life inside QGIS: it registers the provider, and in the desktop a menu entry and
a toolbar button, and takes all of it back when it is unloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QIcon

try:
    from qgis.PyQt.QtGui import QAction
except ImportError:  # QGIS before 3.34 follows Qt 5's place for it alone
    from qgis.PyQt.QtWidgets import QAction

from ..processing.base import ICONS
from ..processing.provider import RasdProvider
from ..processing.translation import tr

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

MENU = "RASD Fusion"


class RasdFusionPlugin:
    """What `classFactory` gives to QGIS; `iface` is None under qgis_process."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._provider: RasdProvider | None = None
        self._action: QAction | None = None

    def initProcessing(self) -> None:
        """Register the provider, once; all that qgis_process calls, so no GUI here."""
        if self._provider is None:
            self._provider = RasdProvider()
            QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Register the provider and show the way to it in the Raster menu and toolbar."""
        self.initProcessing()
        icon = QIcon(str(ICONS / "rasd_fusion.svg"))
        text = tr("Fuse hyperspectral and multispectral…")
        self._action = QAction(icon, text, self._iface.mainWindow())
        self._action.setObjectName("rasdFusionFuse")
        self._action.triggered.connect(self.open_fuse)
        self._iface.addPluginToRasterMenu(MENU, self._action)
        self._iface.addRasterToolBarIcon(self._action)

    def unload(self) -> None:
        """Leave nothing of the plugin behind; the provider stops engines that run."""
        if self._action is not None:
            self._iface.removePluginRasterMenu(MENU, self._action)
            self._iface.removeRasterToolBarIcon(self._action)
            self._action.deleteLater()
            self._action = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None

    def open_fuse(self) -> None:
        """Open the dialog of rasd:fuse."""
        import processing  # QGIS's own package, which is there in the desktop only

        processing.execAlgorithmDialog("rasd:fuse", {})
