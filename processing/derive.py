"""rasd:derive: principal components and a normalised difference of a hyperspectral layer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.derive_request import (
    GREATEST_NM,
    LEAST_NM,
    MOST_COMPONENTS,
    NEAR_INFRARED,
    RED,
    DeriveRequest,
)
from .base import one_line_paragraphs
from .engine_algorithm import EngineAlgorithm, Raster
from .layers import raster_source
from .outputs import check_outputs, stated_path
from .styles import Look, natural_colour
from .translation import tr
from .values import advanced, provenance, raster_layer, with_layers

INPUT, COMPONENTS, INDEX = "INPUT", "COMPONENTS", "INDEX"
COUNT, FIRST, SECOND = "COUNT", "FIRST", "SECOND"
EXPLAINED, INDEX_BANDS = "EXPLAINED", "INDEX_BANDS"

_REAL = QgsProcessingParameterNumber.Type.Double
_WHOLE = QgsProcessingParameterNumber.Type.Integer


class DeriveAlgorithm(EngineAlgorithm[DeriveRequest]):
    """Derive components and a vegetation index."""

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "derive"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Derive components and a vegetation index")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        words = tr("hyperspectral,principal components,PCA,NDVI,vegetation index,wavelength")
        return words.split(",")

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Principal components, and a normalised difference of two wavelengths.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in _parameters():
            self.addParameter(parameter)
        self.addOutput(
            QgsProcessingOutputString(EXPLAINED, tr("Share of the variance of each component"))
        )
        self.addOutput(QgsProcessingOutputString(INDEX_BANDS, tr("Bands of the index")))

    def check_values(self, values: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """The values as QGIS's own checks understand them."""
        outputs = {
            name: stated_path(values[name]) or f"a temporary file for {name}"
            for name in (COMPONENTS, INDEX)
            if values.get(name)
        }
        check_outputs(self._make(values, context, outputs))
        return with_layers(self, values, (INPUT,), context)

    def make_request(self, values: dict[str, Any], context: QgsProcessingContext) -> DeriveRequest:
        """The request that these values make."""
        outputs = {
            name: self.parameterAsOutputLayer(values, name, context) for name in (COMPONENTS, INDEX)
        }
        request = self._make(values, context, outputs)
        check_outputs(request)
        return request

    def _make(
        self, values: dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]
    ) -> DeriveRequest:
        return DeriveRequest(
            run_id=secrets.token_hex(8),
            raster=raster_source(raster_layer(self, values, INPUT, context)),
            components=outputs.get(COMPONENTS) or None,
            index=outputs.get(INDEX) or None,
            count=self.parameterAsInt(values, COUNT, context),
            first=self.parameterAsDouble(values, FIRST, context),
            second=self.parameterAsDouble(values, SECOND, context),
            provenance=provenance("rasd:derive"),
        )

    def results(self, request: DeriveRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """Paths, and what they were made of."""
        bands = values.get("BANDS")
        return {
            COMPONENTS: request.components,
            INDEX: request.index,
            EXPLAINED: ",".join(f"{share:g}" for share in values.get("EXPLAINED", ())),
            INDEX_BANDS: ",".join(map(str, bands)) if bands else None,
        }

    def rasters(self, request: DeriveRequest) -> list[Raster]:
        """Components and index, as far as they are asked for."""
        title = self.title(request)
        wanted = (
            (COMPONENTS, request.components, tr("{} components").format(title)),
            (INDEX, request.index, tr("{} index").format(title)),
        )
        return [Raster(name, path, text) for name, path, text in wanted if path]

    def find_look(self, raster: Raster, values: Mapping[str, Any]) -> Look:
        """The first three components in colour, the index in grey."""
        layer = QgsRasterLayer(raster.path, "derived", "gdal")
        return natural_colour(layer, (1, 2, 3) if layer.bandCount() >= 3 else (1, 1, 1))

    def title(self, request: DeriveRequest) -> str:
        """The layer's name."""
        return request.raster.name

    def history(self, request: DeriveRequest, values: Mapping[str, Any]) -> str:
        """One line that says where the result comes from."""
        facts = request.provenance
        return (
            f"{facts['started']} {facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']}): "
            f"{request.raster.path}; components explain {values.get('EXPLAINED')}, index of bands "
            f"{values.get('BANDS')}"
        )


def _parameters() -> list[QgsProcessingParameterDefinition]:
    number = QgsProcessingParameterNumber
    count = number(COUNT, tr("Components"), _WHOLE, 5, minValue=1, maxValue=MOST_COMPONENTS)
    wavelengths = [
        number(name, tr(text), _REAL, usual, minValue=LEAST_NM, maxValue=GREATEST_NM)
        for name, text, usual in (
            (FIRST, "First wavelength of the index (nm)", NEAR_INFRARED),
            (SECOND, "Second wavelength of the index (nm)", RED),
        )
    ]
    return [
        QgsProcessingParameterRasterLayer(INPUT, tr("Hyperspectral layer")),
        count,
        QgsProcessingParameterRasterDestination(
            COMPONENTS, tr("Principal components"), optional=True, createByDefault=True
        ),
        QgsProcessingParameterRasterDestination(
            INDEX, tr("Vegetation index"), optional=True, createByDefault=True
        ),
        *map(advanced, wavelengths),
    ]


_HELP = """Makes the principal components of a hyperspectral layer, of its good bands, and the
normalised difference (a − b) / (a + b) of the bands nearest to two wavelengths: with the usual
800 and 670 nm the vegetation index NDVI.

A band further than 50 nm from a wavelength does not serve; a layer without wavelengths gives
components alone. Scale and offset count.
"""
