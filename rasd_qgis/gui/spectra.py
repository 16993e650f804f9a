"""Spectra: what raster layers hold at a place, a point or the ground inside a polygon.

Reading goes through a clone of a layer's provider, so it can be done outside the main thread, and
what was overridden on the layer (nodata) counts. Values are scaled as QGIS shows them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qgis.core import (
    Qgis,
    QgsGeometry,
    QgsPoint,
    QgsPointXY,
    QgsRasterBlock,
    QgsRasterDataProvider,
    QgsRectangle,
)

# Samples a side that a polygon's mean is made of at most: 200 bands of them are read in a second.
MOST_SIDE = 64


@dataclass(frozen=True)
class Bands:
    """What is known of a layer's bands: wavelengths in nm (None where unknown), and good ones."""

    wavelengths: tuple[float | None, ...]
    good: tuple[bool, ...]

    @property
    def has_wavelengths(self) -> bool:
        """Whether any band's place in the spectrum is known."""
        return any(wave is not None for wave in self.wavelengths)


@dataclass(frozen=True)
class Place:
    """Where spectra are taken: a geometry in the project's CRS, and what to call it."""

    name: str
    geometry: QgsGeometry

    @property
    def is_point(self) -> bool:
        """A point, or ground inside a polygon."""
        return bool(self.geometry.constGet().dimension() == 0)


@dataclass(frozen=True)
class Spectrum:
    """One layer at one place: values a band (NaN where invalid), and their spread in a polygon.

    spread: standard deviation a band, None at a point. count: pixels that the values are means of.
    """

    place: str
    layer: str
    bands: Bands
    values: np.ndarray
    spread: np.ndarray | None = None
    count: int = 1

    def shown(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Positions, values and spread as they are drawn: by wavelength, NaN in bad bands.

        Positions are wavelengths in nm in rising order, or band numbers where none is known.
        """
        values = np.where(np.array(self.bands.good), self.values, np.nan)
        if not self.bands.has_wavelengths:
            return np.arange(1.0, len(values) + 1), values, self.spread
        waves = np.array([np.nan if w is None else w for w in self.bands.wavelengths])
        order = np.argsort(waves)[: int(np.isfinite(waves).sum())]
        return waves[order], values[order], None if self.spread is None else self.spread[order]


def read_point(provider: QgsRasterDataProvider, point: QgsPointXY) -> np.ndarray | None:
    """The values of all bands at a point of the provider's CRS; None outside, or all nodata."""
    if not provider.extent().contains(point):
        return None
    values = np.full(provider.bandCount(), np.nan)
    for band in range(1, provider.bandCount() + 1):
        value, found = provider.sample(point, band)
        if found:
            values[band - 1] = value
    return values if np.isfinite(values).any() else None


def read_polygon(
    provider: QgsRasterDataProvider, polygon: QgsGeometry
) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Mean and standard deviation a band over the pixels whose centres are inside, and how many.

    Large ground is sampled, at most MOST_SIDE pixels a side. Ground smaller than a pixel gives the
    pixel in its middle; None where there is no data.
    """
    frame = _Frame.around(provider, polygon.boundingBox())
    inside = None if frame is None else frame.inside(polygon)
    if frame is None or inside is None or not inside.any():
        values = read_point(provider, polygon.centroid().asPoint())
        return None if values is None else (values, np.zeros_like(values), 1)
    means = np.full(provider.bandCount(), np.nan)
    spreads, count = means.copy(), 0
    for band in range(1, provider.bandCount() + 1):
        seen = frame.read(provider, band)[inside]
        seen = seen[np.isfinite(seen)]
        if seen.size:
            means[band - 1], spreads[band - 1] = seen.mean(), seen.std()
            count = max(count, seen.size)
    return (means, spreads, count) if count else None


@dataclass(frozen=True)
class _Frame:
    """A box on a raster's own pixel grid, read with so many rows and columns."""

    box: QgsRectangle
    rows: int
    columns: int

    @classmethod
    def around(cls, provider: QgsRasterDataProvider, box: QgsRectangle) -> _Frame | None:
        whole = provider.extent()
        box = box.intersect(whole)
        if box.isEmpty():
            return None
        across, down = whole.width() / provider.xSize(), whole.height() / provider.ySize()
        left = math.floor((box.xMinimum() - whole.xMinimum()) / across)
        right = math.ceil((box.xMaximum() - whole.xMinimum()) / across)
        top = math.floor((whole.yMaximum() - box.yMaximum()) / down)
        bottom = math.ceil((whole.yMaximum() - box.yMinimum()) / down)
        snapped = QgsRectangle(
            whole.xMinimum() + left * across,
            whole.yMaximum() - bottom * down,
            whole.xMinimum() + right * across,
            whole.yMaximum() - top * down,
        )
        return cls(snapped, min(bottom - top, MOST_SIDE), min(right - left, MOST_SIDE))

    def inside(self, polygon: QgsGeometry) -> np.ndarray:
        """(rows, columns) whether a pixel's centre is inside."""
        engine = QgsGeometry.createGeometryEngine(polygon.constGet())
        engine.prepareGeometry()
        step_x, step_y = self.box.width() / self.columns, self.box.height() / self.rows
        xs = [self.box.xMinimum() + (column + 0.5) * step_x for column in range(self.columns)]
        ys = [self.box.yMaximum() - (row + 0.5) * step_y for row in range(self.rows)]
        return np.array([[engine.contains(QgsPoint(x, y)) for x in xs] for y in ys])

    def read(self, provider: QgsRasterDataProvider, band: int) -> np.ndarray:
        """(rows, columns) float64, NaN where there is no data."""
        block = provider.block(band, self.box, self.columns, self.rows)
        empty = _empty(block)
        block.convert(Qgis.DataType.Float64)
        values = np.frombuffer(bytes(block.data()), np.float64).reshape(self.rows, self.columns)
        return np.where(empty, np.nan, values)


def _empty(block: QgsRasterBlock) -> np.ndarray:
    """(rows, columns) which samples of a block are nodata."""
    shape = block.height(), block.width()
    if not block.hasNoData():
        return np.zeros(shape, dtype=bool)
    flags = [[block.isNoData(r, c) for c in range(shape[1])] for r in range(shape[0])]
    return np.array(flags)


def as_rows(spectra: Sequence[Spectrum], places: Sequence[Place]) -> list[tuple[str, ...]]:
    """A table of spectra, a band a row, its first row the names of the columns."""
    where = {place.name: place.geometry.centroid().asPoint() for place in places}
    rows: list[tuple[str, ...]] = [
        ("place", "x", "y", "layer", "band", "wavelength_nm", "good", "value", "spread", "pixels")
    ]
    for one in spectra:
        point = where[one.place]
        for i, (wave, good) in enumerate(zip(one.bands.wavelengths, one.bands.good)):
            rows.append(
                (
                    one.place,
                    f"{point.x():.12g}",
                    f"{point.y():.12g}",
                    one.layer,
                    str(i + 1),
                    "" if wave is None else f"{wave:.10g}",
                    str(int(good)),
                    _text(one.values[i]),
                    "" if one.spread is None else _text(one.spread[i]),
                    str(one.count),
                )
            )
    return rows


def _text(value: float) -> str:
    return f"{value:.9g}" if np.isfinite(value) else ""
