"""Styles: how the outputs look in QGIS.

The fused raster is shown in natural colour with a stretch of its own pixels; the confidence with
one ramp fixed at 0…1, so that two runs can be compared by eye; errors with the same ramp from 0 to
what nearly all pixels stay below. A look holds numbers only, so it can be found in a worker thread
and applied in the main one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsGradientColorRamp,
    QgsGradientStop,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from .translation import tr

STRETCH = (0.02, 0.98)  # of the pixels, darker and brighter ones saturate
STRETCH_SIDE, VARIANCE_SIDE = 200, 32  # pixels a side that are looked at

# Lightness rises evenly from 14 to 92 (CIELAB) while the hue turns from violet to yellow, at the
# greatest chroma that sRGB holds; tests/processing/test_styles.py checks the lightness.
RAMP = (
    "#1c126b",
    "#02396d",
    "#015478",
    "#027087",
    "#0a8d92",
    "#00ab92",
    "#48c97b",
    "#a8dc6d",
    "#f8eb73",
)


@dataclass(frozen=True)
class NaturalColour:
    """Three bands, 1-based, with the values shown darkest and brightest of each."""

    bands: tuple[int, int, int]
    limits: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ConfidenceRamp:
    """One band in the fixed ramp from 0 to 1."""

    band: int = 1


@dataclass(frozen=True)
class ErrorRamp:
    """The first band in the same ramp, from 0 to `greatest`, in units of the band."""

    greatest: float


@dataclass(frozen=True)
class RoutingClasses:
    """The first band, which branch a point took."""


Look = Union[NaturalColour, ConfidenceRamp, ErrorRamp, RoutingClasses]


def natural_colour(layer: QgsRasterLayer, rgb: Sequence[int] | None) -> NaturalColour:
    """The look of a fused raster; `rgb` are its bands by wavelength, None where unknown."""
    bands = (rgb[0], rgb[1], rgb[2]) if rgb else _bands_by_variance(layer)
    limits = tuple(_stretch(_sample(layer, band, STRETCH_SIDE)) for band in bands)
    return NaturalColour(bands, limits)


def error_ramp(layer: QgsRasterLayer) -> ErrorRamp:
    """The look of a map of errors: nearly all of its pixels inside the ramp."""
    return ErrorRamp(_stretch(_sample(layer, 1, STRETCH_SIDE))[1])


def apply_look(layer: QgsRasterLayer, look: Look) -> None:
    """Give `layer` that look."""
    if isinstance(look, NaturalColour):
        layer.setRenderer(_natural(layer, look))
    elif isinstance(look, RoutingClasses):
        layer.setRenderer(_classes(layer))
    else:
        layer.setRenderer(_ramp(layer, look.greatest if isinstance(look, ErrorRamp) else 1.0))
    layer.triggerRepaint()


def save_style(path: str, look: Look) -> str:
    """Write the .qml that QGIS takes as the default style of the raster at `path`.

    Returns its path; OSError where it cannot be written.
    """
    layer = QgsRasterLayer(path, Path(path).stem, "gdal")
    apply_look(layer, look)
    style = str(Path(path).with_suffix(".qml"))
    message, saved = layer.saveNamedStyle(style)
    if not saved:
        raise OSError(message)
    return style


def _natural(layer: QgsRasterLayer, look: NaturalColour) -> QgsRasterRenderer:
    renderer = QgsMultiBandColorRenderer(layer.dataProvider(), *look.bands)
    setters = (
        renderer.setRedContrastEnhancement,
        renderer.setGreenContrastEnhancement,
        renderer.setBlueContrastEnhancement,
    )
    stretch = QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
    for setter, band, (low, high) in zip(setters, look.bands, look.limits):
        enhancement = QgsContrastEnhancement(layer.dataProvider().dataType(band))
        enhancement.setMinimumValue(low)
        enhancement.setMaximumValue(high)
        enhancement.setContrastEnhancementAlgorithm(stretch)
        setter(enhancement)
    return renderer


def _ramp(layer: QgsRasterLayer, greatest: float) -> QgsRasterRenderer:
    """The first band from 0 to `greatest`."""
    step = 1.0 / (len(RAMP) - 1)
    colours = [QColor(colour) for colour in RAMP]
    values = [i * step * greatest for i in range(len(RAMP))]
    items = [
        QgsColorRampShader.ColorRampItem(value, colour, f"{value:.4g}")
        for value, colour in zip(values, colours)
    ]
    stops = [QgsGradientStop(i * step, colour) for i, colour in enumerate(colours)][1:-1]
    ramp = QgsGradientColorRamp(colours[0], colours[-1], False, stops)
    function = QgsColorRampShader(0.0, greatest, ramp, QgsColorRampShader.Type.Interpolated)
    function.setColorRampItemList(items)
    shader = QgsRasterShader(0.0, greatest)
    shader.setRasterShaderFunction(function)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(0.0)
    renderer.setClassificationMax(greatest)
    return renderer


def _classes(layer: QgsRasterLayer) -> QgsRasterRenderer:
    """The ends of the ramp: a point in the low-rank branch is one that was trusted."""
    names = (tr("attention branch"), tr("low-rank branch"))
    colours = (QColor(RAMP[0]), QColor(RAMP[-1]))
    classes = [
        QgsPalettedRasterRenderer.Class(value, colour, name)
        for value, (colour, name) in enumerate(zip(colours, names))
    ]
    return QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes)


def _sample(layer: QgsRasterLayer, band: int, side: int) -> list[float]:
    """Valid values of a band on a coarse grid over the whole layer, at most `side` a side."""
    columns, rows = min(layer.width(), side), min(layer.height(), side)
    block = layer.dataProvider().block(band, layer.extent(), columns, rows)
    return [
        block.value(row, column)
        for row in range(block.height())
        for column in range(block.width())
        if not block.isNoData(row, column)
    ]


def _stretch(values: list[float]) -> tuple[float, float]:
    """The values at the two STRETCH shares; (0, 1) where there are none."""
    if not values:
        return 0.0, 1.0
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in STRETCH)
    return (low, high) if high > low else (low, low + 1.0)


def _bands_by_variance(layer: QgsRasterLayer) -> tuple[int, int, int]:
    """The liveliest band of each third of the bands, the last third as red."""
    count = layer.bandCount()
    spread = [_variance(_sample(layer, band, VARIANCE_SIDE)) for band in range(1, count + 1)]
    edges = [round(count * part / 3) for part in range(4)]
    thirds = [range(low, max(high, low + 1)) for low, high in zip(edges, edges[1:])]
    best = [max(part, key=lambda i: spread[min(i, count - 1)]) for part in thirds]
    blue, green, red = (min(index, count - 1) + 1 for index in best)
    return red, green, blue


def _variance(values: list[float]) -> float:
    if not values:
        return 0.0
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)
