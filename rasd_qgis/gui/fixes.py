"""Fixes: what the buttons of the pre-flight panel do. None of them touches a file that is there."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import (
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
)

from ...processing.layers import local_files, source_path
from ...processing.translation import tr
from ..contract.errors import InputError, OutputError


def take_crs(layer: QgsRasterLayer, other: QgsRasterLayer) -> None:
    """Give a layer the other's CRS; in the project only, the file stays as it is."""
    layer.setCrs(other.crs())
    layer.triggerRepaint()


def take_nodata(layer: QgsRasterLayer, value: float) -> None:
    """Treat a value as nodata in every band; in the project only."""
    provider = layer.dataProvider()
    for band in range(1, layer.bandCount() + 1):
        ranges = provider.userNoDataValues(band)
        provider.setUserNoDataValue(band, [*ranges, QgsRasterRange(value, value)])
    layer.triggerRepaint()


def moved_copy(
    layer: QgsRasterLayer, guide: QgsRasterLayer, down: float, right: float
) -> QgsRasterLayer:
    """The layer moved by so many guide pixels down and right, as a virtual raster beside its file.

    InputError where the layer's grid is turned, or GDAL's tools are not to be had.
    """
    import processing  # QGIS's own package

    place = _moved_bounds(layer, guide, down, right)
    path = _new_path(layer)
    try:
        made = processing.run(
            "gdal:translate",
            {
                "INPUT": layer,
                "TARGET_CRS": layer.crs(),
                "EXTRA": "-a_ullr " + " ".join(f"{edge!r}" for edge in place),
                "OUTPUT": str(path),
            },
        )
    except Exception as error:  # QgsProcessingException, and what GDAL's tools raise
        raise OutputError(
            tr("The moved copy of {} could not be made ({}).").format(layer.name(), error),
            tr("Check that GDAL's provider is switched on in Processing's options."),
        ) from error
    copy = QgsRasterLayer(made["OUTPUT"], tr("{} (moved)").format(layer.name()), "gdal")
    if not copy.isValid():
        raise OutputError(
            tr("The moved copy {} cannot be opened.").format(path),
            tr("Check that the file exists, is complete, and opens in QGIS."),
        )
    QgsProject.instance().addMapLayer(copy)
    return copy


def _moved_bounds(
    layer: QgsRasterLayer, guide: QgsRasterLayer, down: float, right: float
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the moved layer, in its CRS."""
    if layer.crs() != guide.crs():
        raise InputError(
            tr("{} and {} lie in different CRSs.").format(layer.name(), guide.name()),
            tr("Reproject the hyperspectral layer first, then look again."),
        )
    box = layer.extent()
    east, south = right * guide.rasterUnitsPerPixelX(), down * guide.rasterUnitsPerPixelY()
    return (
        box.xMinimum() + east,
        box.yMaximum() - south,
        box.xMaximum() + east,
        box.yMinimum() - south,
    )


def _new_path(layer: QgsRasterLayer) -> Path:
    """A name for the copy that is not taken: beside the layer's file, else a temporary one."""
    files = local_files(source_path(layer))
    folder = files[0].parent if files else Path(QgsProcessingUtils.tempFolder())
    stem = files[0].stem if files else "layer"
    if not os.access(folder, os.W_OK):
        folder = Path(QgsProcessingUtils.tempFolder())
    number = 1
    while (path := folder / f"{stem}_moved{number if number > 1 else ''}.vrt").exists():
        number += 1
    return path
