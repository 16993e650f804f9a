"""Reading spectra outside the main thread, so that a large raster holds nothing up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsProject,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsTask,
)

from ...processing.translation import tr
from .background import Background
from .spectra import Bands, Place, Spectrum, read_point, read_polygon


@dataclass(frozen=True)
class _Reading:
    """One layer at one place, ready to be read in any thread."""

    place: Place
    layer: str
    bands: Bands
    provider: QgsRasterDataProvider
    geometry: QgsGeometry

    def read(self) -> Spectrum | None:
        """The spectrum, None where the layer has no data there."""
        if self.place.is_point:
            values = read_point(self.provider, self.geometry.asPoint())
            return (
                values
                if values is None
                else Spectrum(self.place.name, self.layer, self.bands, values)
            )
        found = read_polygon(self.provider, self.geometry)
        if found is None:
            return None
        values, spread, count = found
        return Spectrum(self.place.name, self.layer, self.bands, values, spread, count)


def read_all(todo: Sequence[_Reading], on_read: Callable[[Any], None]) -> Background:
    """Start reading; `on_read` gets the list of spectra, or a RasdError."""

    def work(task: QgsTask) -> list[Spectrum]:
        found = (reading.read() for reading in todo if not task.isCanceled())
        return [spectrum for spectrum in found if spectrum is not None]

    return Background(tr("Reading spectra"), work, on_read).start()


def readings(
    places: Sequence[Place], layers: Sequence[tuple[QgsRasterLayer, Bands]], project: QgsProject
) -> list[_Reading]:
    """What there is to read; to be called in the main thread, as it touches the layers."""
    found = []
    for layer, bands in layers:
        change = QgsCoordinateTransform(project.crs(), layer.crs(), project)
        provider = layer.dataProvider().clone()
        for place in places:
            geometry = QgsGeometry(place.geometry)
            try:
                geometry.transform(change)
            except QgsCsException:
                continue  # the place is nowhere in that layer's CRS
            found.append(_Reading(place, layer.name(), bands, provider, geometry))
    return found
