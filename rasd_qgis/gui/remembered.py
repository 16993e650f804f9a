"""What the fusion dialog remembers from one time to the next, in QGIS's own settings.

Outputs are not among it: a remembered file name would overwrite the last result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from qgis.core import QgsProject, QgsRasterLayer, QgsSettings

from ...processing import fuse_parameters as names

KEY = "rasd_fusion/fuse"
SETTINGS = (
    names.ROUTING_RATIO,
    names.ROUTING_MODE,
    names.MODEL,
    names.MODEL_FILE,
    names.TRAINING_MINUTES,
    names.TRAINING_STEPS,
    names.PSF_SIGMA,
    names.DEVICE,
    names.TILE_SIZE,
    names.SEED,
)
LAYERS = (names.INPUT_HS, names.INPUT_MS)


def remember(values: Mapping[str, Any], layers: Mapping[str, QgsRasterLayer]) -> None:
    """Keep the settings among `values`, and the chosen layers by their sources."""
    kept = {name: values[name] for name in SETTINGS if _is_plain(values.get(name))}
    sources = {name: layer.source() for name, layer in layers.items()}
    QgsSettings().setValue(KEY, json.dumps({"settings": kept, "layers": sources}))


def recall() -> dict[str, Any]:
    """The remembered values; layers as ids, where the project holds them still."""
    try:
        data = json.loads(QgsSettings().value(KEY, "{}", type=str))
        settings, sources = data.get("settings", {}), data.get("layers", {})
    except (ValueError, AttributeError):
        return {}
    values = {name: value for name, value in settings.items() if name in SETTINGS}
    for name in LAYERS:
        layer = _layer_with(sources.get(name))
        if layer is not None:
            values[name] = layer.id()
    return values


def likely_pair(layers: Iterable[QgsRasterLayer]) -> dict[str, str]:
    """The ids of what looks like a pair: the most bands, and the finest of the others; {} if none.

    Only layers of like CRSs are compared by pixel size; a pair in two CRSs is the analyst's choice.
    """
    rasters = [layer for layer in layers if layer.isValid() and layer.providerType() == "gdal"]
    coarse = max(rasters, key=QgsRasterLayer.bandCount, default=None)
    if coarse is None or coarse.bandCount() < 3:
        return {}
    fine = [
        layer
        for layer in rasters
        if layer.bandCount() < coarse.bandCount()
        and layer.crs() == coarse.crs()
        and layer.rasterUnitsPerPixelX() < coarse.rasterUnitsPerPixelX()
        and layer.extent().intersects(coarse.extent())
    ]
    guide = max(fine, key=QgsRasterLayer.bandCount, default=None)
    return {names.INPUT_HS: coarse.id(), names.INPUT_MS: guide.id()} if guide else {}


def project_rasters() -> list[QgsRasterLayer]:
    """The project's raster layers."""
    layers = QgsProject.instance().mapLayers().values()
    return [layer for layer in layers if isinstance(layer, QgsRasterLayer)]


def _layer_with(source: Any) -> QgsRasterLayer | None:
    return next((layer for layer in project_rasters() if layer.source() == source), None)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
