"""Facts: what a raster layer is, in one line under the box that chooses it.

What QGIS knows is shown at once; wavelengths and the date follow when the engine has looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsRasterLayer, QgsUnitTypes

from ...processing.translation import tr


def layer_facts(layer: QgsRasterLayer, described: Mapping[str, Any] | None = None) -> str:
    """Bands, pixel size, extent in pixels, CRS; of `describe_raster`: wavelengths and date."""
    unit = QgsUnitTypes.toAbbreviatedString(layer.crs().mapUnits())
    across, down = layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()
    size = f"{across:.6g}" if abs(across - down) < 1e-6 * across else f"{across:.6g} × {down:.6g}"
    crs = layer.crs()
    facts = [
        tr("{} bands").format(layer.bandCount()) if layer.bandCount() != 1 else tr("1 band"),
        tr("pixel {} {}").format(size, unit),
        tr("{} × {} pixels").format(layer.width(), layer.height()),
        (crs.authid() or crs.description() or tr("own CRS")) if crs.isValid() else tr("no CRS"),
    ]
    if described:
        facts += [wavelength_range(described), _taken(described)]
    return " · ".join(fact for fact in facts if fact)


def wavelength_range(described: Mapping[str, Any]) -> str:
    """The range of the known wavelengths, in nm."""
    waves = [wave for wave in described["wavelengths"] if wave is not None]
    if not waves:
        return tr("wavelengths unknown")
    return tr("{:.0f}–{:.0f} nm").format(min(waves), max(waves))


def _taken(described: Mapping[str, Any]) -> str:
    return tr("taken {}").format(described["date"]) if described["date"] else ""
