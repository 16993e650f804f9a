"""Pictures of a preview: the fused image, its confidence, and the input as it was before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCubicRasterResampler,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage

from ...processing.styles import ConfidenceRamp, apply_look, natural_colour

MOST_SIDE = 512  # fine pixels
SCREEN_SIDE = 640  # of a picture, in screen pixels


@dataclass(frozen=True)
class Pictures:
    """Three pictures of one ground and one size."""

    fused: QImage
    confidence: QImage
    before: QImage


def preview_extent(
    guide: QgsRasterLayer,
    coarse: QgsRasterLayer,
    shown: QgsRectangle | None,
    shown_crs: QgsCoordinateReferenceSystem,
) -> QgsRectangle:
    """What is previewed, in the guide's CRS: what is shown of both layers, MOST_SIDE at most.

    shown: the map's extent in `shown_crs`; None, and ground beside the layers, for their middle.
    """
    project = QgsProject.instance()
    to_guide = QgsCoordinateTransform(coarse.crs(), guide.crs(), project)
    both = guide.extent().intersect(to_guide.transformBoundingBox(coarse.extent()))
    place = both
    if shown is not None and shown_crs.isValid():
        change = QgsCoordinateTransform(shown_crs, guide.crs(), project)
        seen = change.transformBoundingBox(shown).intersect(both)
        place = both if seen.isEmpty() else seen
    across, down = guide.rasterUnitsPerPixelX(), guide.rasterUnitsPerPixelY()
    width = min(place.width(), MOST_SIDE * across)
    height = min(place.height(), MOST_SIDE * down)
    return QgsRectangle.fromCenterAndSize(place.center(), width, height)


def draw(
    fused_path: str | Path,
    confidence_path: str | Path,
    coarse: QgsRasterLayer,
    rgb: list[int] | None,
) -> Pictures:
    """Draw the files of a preview, and `coarse` on the same ground with the same stretch."""
    fused = QgsRasterLayer(str(fused_path), "fused", "gdal")
    look = natural_colour(fused, rgb)
    apply_look(fused, look)
    confidence = QgsRasterLayer(str(confidence_path), "confidence", "gdal")
    apply_look(confidence, ConfidenceRamp())
    before = coarse.clone()
    apply_look(before, look)
    before.resampleFilter().setZoomedInResampler(QgsCubicRasterResampler())
    return Pictures(*(_drawn(layer, fused) for layer in (fused, confidence, before)))


def _drawn(layer: QgsRasterLayer, frame: QgsRasterLayer) -> QImage:
    """A layer on the ground of `frame`."""
    extent = frame.extent()
    longest = max(extent.width(), extent.height())
    size = QSize(
        max(1, round(SCREEN_SIDE * extent.width() / longest)),
        max(1, round(SCREEN_SIDE * extent.height() / longest)),
    )
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(frame.crs())
    settings.setExtent(extent)
    settings.setOutputSize(size)
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()
