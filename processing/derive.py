"""rasd:derive: principal components and a normalised difference of a hyperspectral layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsRasterLayer

from ..rasd_qgis.contract.derive_request import DeriveRequest
from . import derive_parameters as names
from .base import Words
from .engine_algorithm import EngineAlgorithm, Raster
from .styles import Look, natural_colour
from .translation import mark, tr


class DeriveAlgorithm(EngineAlgorithm[DeriveRequest]):
    """Derive components and a vegetation index."""

    form = names
    words = Words(
        id="derive",
        title=mark("Derive components and a vegetation index"),
        tip=mark("Principal components, and a normalised difference of two wavelengths."),
        tags=mark("hyperspectral,principal components,PCA,NDVI,vegetation index,wavelength"),
    )

    def rasters(self, request: DeriveRequest, title: str) -> list[Raster]:
        """Components and index, as far as they are asked for."""
        return [
            Raster(names.COMPONENTS, request.components, tr("{} components").format(title), _look),
            Raster(names.INDEX, request.index, tr("{} index").format(title), _look),
        ]

    def origin(self, request: DeriveRequest, values: Mapping[str, Any]) -> str:
        """The layer and what was made of it."""
        return (
            f"{request.raster.path}; components explain {values.get('EXPLAINED')}, index of bands "
            f"{values.get('BANDS')}"
        )


def _look(path: str, values: Mapping[str, Any]) -> Look:
    """The first three components in colour, the index in grey."""
    layer = QgsRasterLayer(path, "derived", "gdal")
    return natural_colour(layer, (1, 2, 3) if layer.bandCount() >= 3 else (1, 1, 1))
