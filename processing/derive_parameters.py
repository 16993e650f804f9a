"""The parameters of rasd:derive: what they are, and the request that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ..rasd_qgis.contract.derive_request import (
    GREATEST_NM,
    LEAST_NM,
    MOST_COMPONENTS,
    NEAR_INFRARED,
    RED,
    DeriveRequest,
)
from . import fields
from .layers import raster_source
from .outputs import check_outputs, path_for_check, paths_for_run
from .translation import tr
from .values import raster_layer, run_of, with_layers

INPUT, COMPONENTS, INDEX = "INPUT", "COMPONENTS", "INDEX"
COUNT, FIRST, SECOND = "COUNT", "FIRST", "SECOND"
EXPLAINED, INDEX_BANDS = "EXPLAINED", "INDEX_BANDS"


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced ones last."""
    number = QgsProcessingParameterNumber
    wavelengths = (
        (FIRST, tr("First wavelength of the index (nm)"), NEAR_INFRARED),
        (SECOND, tr("Second wavelength of the index (nm)"), RED),
    )
    return [
        QgsProcessingParameterRasterLayer(INPUT, tr("Hyperspectral layer")),
        number(COUNT, tr("Components"), fields.WHOLE, 5, minValue=1, maxValue=MOST_COMPONENTS),
        fields.optional_raster(COMPONENTS, tr("Principal components")),
        fields.optional_raster(INDEX, tr("Vegetation index")),
        *(
            fields.advanced(
                number(name, text, fields.REAL, usual, minValue=LEAST_NM, maxValue=GREATEST_NM)
            )
            for name, text, usual in wavelengths
        ),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """What the layers were made of."""
    return [
        QgsProcessingOutputString(EXPLAINED, tr("Share of the variance of each component")),
        QgsProcessingOutputString(INDEX_BANDS, tr("Bands of the index")),
    ]


def check(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Raise the sentence for what no run could use; the values with layers for their names."""
    wanted = [name for name in (COMPONENTS, INDEX) if values.get(name)]
    paths = {name: path_for_check(values[name], name) for name in wanted}
    check_outputs(_request(algorithm, values, context, paths))
    return with_layers(algorithm, values, (INPUT,), context)


def make_request(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> DeriveRequest:
    """The request that these parameter values make, called once a run; RasdError for none."""
    paths = paths_for_run(algorithm, values, (COMPONENTS, INDEX), context)
    return _request(algorithm, values, context, paths)


def _request(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    context: QgsProcessingContext,
    paths: Mapping[str, str],
) -> DeriveRequest:
    return DeriveRequest(
        raster=raster_source(raster_layer(algorithm, values, INPUT, context)),
        components=paths.get(COMPONENTS) or None,
        index=paths.get(INDEX) or None,
        count=algorithm.parameterAsInt(values, COUNT, context),
        first=algorithm.parameterAsDouble(values, FIRST, context),
        second=algorithm.parameterAsDouble(values, SECOND, context),
        **run_of("rasd:derive"),
    )


def title(request: DeriveRequest) -> str:
    """What the run is called after."""
    return request.raster.name


def results(request: DeriveRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths, and what they were made of."""
    bands = values.get("BANDS")
    return {
        COMPONENTS: request.components,
        INDEX: request.index,
        EXPLAINED: ",".join(f"{share:g}" for share in values.get("EXPLAINED", ())),
        INDEX_BANDS: ",".join(map(str, bands)) if bands else None,
    }
