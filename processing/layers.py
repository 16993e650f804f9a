"""Layers: a raster layer of QGIS, told to the engine as the analyst sees it.

The engine opens the file by itself, so what was overridden on the layer (its CRS, its nodata)
travels beside the path. Only what GDAL opens on this computer can travel; a web service cannot.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterRange,
)

from ..rasd_qgis.contract.errors import InputError
from ..rasd_qgis.contract.request import RasterSource
from .translation import mark, tr

_REMOTE_VSI = re.compile(
    r"/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)(_streaming)?[/?]", re.IGNORECASE
)
_REMOTE_URI = re.compile(
    r"^(https?|ftps?|WMS|WMTS|WCS|EEDAI?|OGCAPI|STACTA|STACIT|PLMOSAIC):", re.I
)
_SERVICE_FILE = re.compile(rb"<(GDAL_WMS|GDAL_WMTS|WMS_GDAL|WCS_GDAL|WMT_MS_Capabilities)")
_SAVE_FIRST = mark(
    "Save it to a file (right-click the layer, Export, Save As…) and choose that file."
)


def raster_source(layer: QgsRasterLayer) -> RasterSource:
    """What the engine needs to read `layer`; InputError where it cannot read it at all."""
    _refuse_remote(layer)
    provider = layer.dataProvider()
    return RasterSource(
        path=source_path(layer),
        crs_wkt=_overridden_crs(layer),
        nodata_ranges=_user_nodata(provider, layer.bandCount()),
        ignore_source_nodata=_ignored_nodata(provider, layer.bandCount()),
        name=layer.name(),
    )


def source_path(layer: QgsRasterLayer) -> str:
    """What GDAL opens for this layer, a file absolute; open options are left out."""
    path = re.split(r"\|(?:option|credential):", layer.source(), maxsplit=1)[0]
    return str(Path(path).absolute()) if Path(path).exists() else path


def local_files(path: str) -> list[Path]:
    """The existing files that a GDAL path names: itself, or what its subdataset lies in."""
    words = path.replace('"', "").split(":")
    # A driver's name, the file and the part are parted by colons, and C:\ holds one of its own.
    spans = [(start, end) for start in range(len(words)) for end in range(start, len(words))]
    pieces = [":".join(words[start : end + 1]) for start, end in spans]
    pieces = [re.sub(r"^/vsi\w+/", "", piece) for piece in pieces]
    return [Path(piece) for piece in dict.fromkeys(pieces) if _is_file(piece)]


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _refuse_remote(layer: QgsRasterLayer) -> None:
    """InputError for whatever is no file of this computer."""
    if layer.providerType() != "gdal":
        text = tr("The layer “{}” comes from a service ({}), not from a file on this computer.")
        raise InputError(text.format(layer.name(), layer.providerType()), tr(_SAVE_FIRST))
    path = source_path(layer)
    if _REMOTE_VSI.search(path) or _REMOTE_URI.match(path) or _is_service_file(path):
        text = tr("The layer “{}” comes from a web service.")
        raise InputError(text.format(layer.name()), tr(_SAVE_FIRST))
    if "/vsimem/" in path:
        text = tr("The layer “{}” is held in QGIS's memory only.")
        raise InputError(text.format(layer.name()), tr(_SAVE_FIRST))


def _is_service_file(path: str) -> bool:
    """True for a small text file, or the text itself, that describes a web service to GDAL."""
    if path.lstrip().startswith("<"):
        return bool(_SERVICE_FILE.search(path.encode("utf-8", "replace")))
    try:
        with open(path, "rb") as file:
            return bool(_SERVICE_FILE.search(file.read(1024)))
    except (OSError, ValueError):
        return False


def _overridden_crs(layer: QgsRasterLayer) -> str | None:
    """The layer's CRS as WKT 2 where it is not the file's own."""
    crs = layer.crs()
    if not crs.isValid() or crs == layer.dataProvider().crs():
        return None
    return crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT2_2019)


def _user_nodata(
    provider: QgsRasterDataProvider, count: int
) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Per band the additional nodata ranges of the layer; () where there are none at all."""
    bands = tuple(
        tuple(_closed(part) for part in provider.userNoDataValues(band))
        for band in range(1, count + 1)
    )
    return bands if any(bands) else ()


def _closed(part: QgsRasterRange) -> tuple[float, float]:
    """A range with both ends finite and inclusive; QGIS marks an open end by NaN."""
    low, high = part.min(), part.max()
    low = -sys.float_info.max if not math.isfinite(low) else low
    high = sys.float_info.max if not math.isfinite(high) else high
    kinds = QgsRasterRange.BoundsType
    if low < high and part.bounds() in (kinds.IncludeMax, kinds.Exclusive):
        low = math.nextafter(low, math.inf)
    if low < high and part.bounds() in (kinds.IncludeMin, kinds.Exclusive):
        high = math.nextafter(high, -math.inf)
    return low, high


def _ignored_nodata(provider: QgsRasterDataProvider, count: int) -> tuple[bool, ...]:
    """Per band True where the file's nodata is switched off; () where that is nowhere so."""
    flags = tuple(
        provider.sourceHasNoDataValue(band) and not provider.useSourceNoDataValue(band)
        for band in range(1, count + 1)
    )
    return flags if any(flags) else ()
