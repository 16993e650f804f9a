"""The desk: what the plugin shows in a QGIS desktop, and takes back again.

Its entries stand in the Raster menu; the fusion dialog has a button in the toolbar as well.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qgis.core import Qgis, QgsProject, QgsSettings
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QDockWidget, QPushButton, QWidget

try:
    from qgis.PyQt.QtGui import QAction
except ImportError:  # QGIS before 3.34 follows Qt 5's place for it alone
    from qgis.PyQt.QtWidgets import QAction

from ...processing.base import ICONS
from ...processing.translation import tr
from ..contract.errors import RasdError
from ..engine_link.environment import Missing, state
from . import opening, sample

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

MENU = "RASD Fusion"
DOCK_WIDTH = 420
GREETED = "rasd_fusion/greeted"


class Desk:
    """Menu entries, button and windows."""

    def __init__(self, iface: QgisInterface) -> None:
        self._iface = iface
        self._actions: list[QAction] = []
        self._buttons: list[QAction] = []
        self._docks: dict[str, QDockWidget] = {}

    def open(self) -> None:
        """Show everything."""
        opening.register()
        fuse = self._add(tr("Fuse hyperspectral and multispectral…"), self.fuse, "rasdFusionFuse")
        self._iface.addRasterToolBarIcon(fuse)
        self._buttons.append(fuse)
        self._add(tr("Try it on a sample scene"), self.try_sample, "rasdFusionSample")
        self._add(tr("Spectral inspector"), self.inspect, "rasdFusionInspect")
        self._add(tr("Routing explorer"), self.explore_routes, "rasdFusionRoutes")
        self._add(
            tr("Engine: set up, test, diagnose…"), self.set_up, "rasdFusionEngine", "engine.svg"
        )
        self._greet()

    def close(self) -> None:
        """Take everything back."""
        opening.unregister()
        for dock in self._docks.values():
            dock.release()
            self._iface.removeDockWidget(dock)
            dock.deleteLater()
        self._docks = {}
        for action in self._buttons:
            self._iface.removeRasterToolBarIcon(action)
        for action in self._actions:
            self._iface.removePluginRasterMenu(MENU, action)
            action.deleteLater()
        self._actions, self._buttons = [], []

    def fuse(self) -> QWidget:
        """Open the fusion dialog as it was left."""
        return opening.show("rasd:fuse", {})

    def try_sample(self) -> QWidget | None:
        """Load the sample scene and open the fusion dialog filled in with it."""
        try:
            pair = sample.load_sample(QgsProject.instance())
        except RasdError as error:
            self._iface.messageBar().pushMessage(MENU, str(error), Qgis.MessageLevel.Warning)
            return None
        self._iface.messageBar().pushMessage(
            MENU, tr("Sample scene: Indian Pines (AVIRIS), CC BY 3.0."), Qgis.MessageLevel.Info
        )
        layer = QgsProject.instance().mapLayer(next(iter(pair.values())))
        self._iface.setActiveLayer(layer)
        self._iface.zoomToActiveLayer()
        return opening.show("rasd:fuse", pair)

    def inspect(self) -> QDockWidget:
        """Show the spectral inspector."""
        from .inspector import InspectorDock

        return self._dock("inspector", InspectorDock)

    def explore_routes(self) -> QDockWidget:
        """Show the routing explorer."""
        from .routing_explorer import RoutingDock

        return self._dock("routes", RoutingDock)

    def set_up(self) -> QWidget:
        """Show the engine's set-up window."""
        return opening.setup_window(self._iface.mainWindow())

    def _greet(self) -> None:
        """Once, where there is no engine yet: the way to it, without standing in anybody's way."""
        settings = QgsSettings()
        if settings.value(GREETED, False, type=bool) or not isinstance(state(), Missing):
            return
        settings.setValue(GREETED, True)
        bar = self._iface.messageBar()
        text = tr("RASD Fusion computes with an engine of its own, which is set up once.")
        item = bar.createMessage(MENU, text)
        button = QPushButton(tr("Set up…"))
        button.setObjectName("rasdGreeting")
        button.clicked.connect(lambda: (bar.popWidget(item), self.set_up()))
        item.layout().addWidget(button)
        bar.pushWidget(item, Qgis.MessageLevel.Info)

    def _dock(self, name: str, make: Callable[..., QDockWidget]) -> QDockWidget:
        """Show the dock of that name, made when it is first asked for."""
        if name not in self._docks:
            main = self._iface.mainWindow()
            dock = make(self._iface.mapCanvas(), main)
            self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            main.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
            self._docks[name] = dock
        self._docks[name].show()
        self._docks[name].raise_()
        return self._docks[name]

    def _add(
        self, text: str, call: Callable[[], object], name: str, icon: str = "rasd_fusion.svg"
    ) -> QAction:
        action = QAction(QIcon(str(Path(ICONS) / icon)), text, self._iface.mainWindow())
        action.setObjectName(name)
        action.triggered.connect(lambda: call())
        self._iface.addPluginToRasterMenu(MENU, action)
        self._actions.append(action)
        return action
