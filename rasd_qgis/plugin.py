"""The plugin's life inside QGIS: it registers the provider, in the desktop also its windows, and
takes all of it back when it is unloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import QgsApplication

from ..processing.provider import RasdProvider
from ..processing.translation import speak

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from .gui.desk import Desk


class RasdFusionPlugin:
    """What `classFactory` gives to QGIS; `iface` is None under qgis_process."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._provider: RasdProvider | None = None
        self._desk: Desk | None = None

    def initProcessing(self) -> None:
        """Register the provider, once; all that qgis_process calls, so no GUI here."""
        if self._provider is None:
            speak(QgsApplication.locale())
            self._provider = RasdProvider()
            QgsApplication.processingRegistry().addProvider(self._provider)
            self._provider.refreshAlgorithms()  # the graphical models can be loaded only now

    def initGui(self) -> None:
        """Register the provider and show the way to its windows."""
        from .gui.desk import Desk

        self.initProcessing()
        self._desk = Desk(self._iface)
        self._desk.open()

    def unload(self) -> None:
        """Leave nothing of the plugin behind; the provider stops engines that run."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
