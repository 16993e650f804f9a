"""Values: what the parameters of an algorithm were set to, read as our requests want it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import InputError
from ..rasd_qgis.contract.source import RasterSource
from .layers import local_files, raster_source
from .translation import tr
from .version import plugin_version

# By output name: what the dialog calls a figure, and its name in the engine's result.
Numbers = dict[str, tuple[str, str]]


def raster_layer(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
) -> QgsRasterLayer:
    """The layer that a parameter names; InputError where QGIS cannot open it."""
    layer = algorithm.parameterAsRasterLayer(values, name, context)
    if layer is None:
        layer = subdataset(values.get(name))
    if layer is None or not layer.isValid():
        raise unreadable(name, values.get(name))
    return layer


def unreadable(name: str, value: Any) -> InputError:
    """The error of a parameter whose value is no raster that QGIS opens."""
    return InputError(
        tr("{}: “{}” cannot be opened as a raster.").format(name, value),
        tr("Check that the file exists, is complete, and opens in QGIS."),
    )


def optional_source(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
) -> RasterSource | None:
    """The raster that a parameter names; None where it was left empty."""
    if is_empty(values.get(name)):
        return None
    return raster_source(raster_layer(algorithm, values, name, context))


def with_layers(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    names: tuple[str, ...],
    context: QgsProcessingContext,
) -> dict[str, Any]:
    """The values with layers in place of their names, as QGIS's own checks understand them."""
    given = [name for name in names if not is_empty(values.get(name))]
    return {**values, **{name: raster_layer(algorithm, values, name, context) for name in given}}


def with_words(algorithm: QgsProcessingAlgorithm, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the words of choices for their numbers; InputError where one is neither.

    The command line's help offers numbers for every choice, and QGIS knows ours by words alone.
    """
    worded = dict(values)
    for choice in algorithm.parameterDefinitions():
        value = values.get(choice.name())
        if not isinstance(choice, QgsProcessingParameterEnum) or not isinstance(value, (str, int)):
            continue
        words = choice.options()
        if str(value).isdecimal() and int(value) < len(words):
            worded[choice.name()] = words[int(value)]
        elif not is_empty(value) and value not in words:
            raise InputError(
                tr("{}: “{}” is none of {}.").format(choice.name(), value, ", ".join(words)),
                tr("Choose one of these."),
            )
    return worded


def is_empty(value: Any) -> bool:
    """Whether a parameter was left empty."""
    return value is None or value == "" or bool(hasattr(value, "isNull") and value.isNull())


def optional(
    read: Callable[..., Any], values: dict[str, Any], name: str, context: QgsProcessingContext
) -> Any:
    """The value of a parameter, None where it was left empty."""
    return None if is_empty(values.get(name)) else read(values, name, context)


def extent(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    name: str,
    crs: QgsCoordinateReferenceSystem,
    context: QgsProcessingContext,
) -> tuple[float, float, float, float] | None:
    """The extent that a parameter holds, in `crs`; None where it was left empty."""
    if not values.get(name):
        return None
    box = algorithm.parameterAsExtent(values, name, context, crs)
    if box.isNull():
        return None
    return box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()


def numbers_of(numbers: Numbers, values: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an engine's result by output name, None for those it does not tell."""
    return {name: values.get(word) for name, (_, word) in numbers.items()}


def run_of(algorithm: str) -> dict[str, Any]:
    """The fields of a request that say which run it is."""
    return {"run_id": secrets.token_hex(8), "provenance": provenance(algorithm)}


def provenance(algorithm: str) -> dict[str, str]:
    """Who asks for a run, and when."""
    return {
        "algorithm": algorithm,
        "plugin": f"RASD Fusion {plugin_version()}",
        "qgis": Qgis.version(),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def subdataset(value: Any) -> QgsRasterLayer | None:
    """The layer of a GDAL name such as NETCDF:"file":part, which QGIS itself does not look up."""
    files = local_files(value) if isinstance(value, str) else []
    return QgsRasterLayer(value, files[0].stem, "gdal") if files else None
