"""RASD Fusion, a QGIS plugin: it fuses a hyperspectral raster with a multispectral one.

This root is the package `rasd_fusion` in QGIS's process and in the engine's alike. Nothing is
imported until QGIS asks for the plugin, so that the engine can load the same root without Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rasd_qgis.plugin import RasdFusionPlugin


def classFactory(iface: Any) -> RasdFusionPlugin:
    """Return the plugin's life inside QGIS; `iface` is None under qgis_process."""
    from .rasd_qgis.plugin import RasdFusionPlugin

    return RasdFusionPlugin(iface)
