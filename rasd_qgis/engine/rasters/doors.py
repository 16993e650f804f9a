"""Doors: what a raster that was given to us may not make GDAL do.

A file can name others: a VRT its sources, a service's description its address. What lies on this
computer is read, as QGIS does; the network is not asked, no program in a file is run, and no
format that is a service by another name is opened. GDAL reads these settings when it first needs
each, so the module is imported before rasterio opens anything.
"""

from __future__ import annotations

import os
import re

# Formats that fetch what they describe; those of them that rasterio's own GDAL has are shut out.
_SHUT_OUT = ("WMS", "WMTS", "WCS", "HTTP", "EEDAI", "DAAS", "PLMOSAIC", "STACTA", "STACIT")
WEB_DRIVERS = {*_SHUT_OUT, "OGCAPI", "PLScenes", "PostGISRaster"}
_SETTINGS = {
    "GDAL_SKIP": " ".join(_SHUT_OUT),
    # No address has this extension, so none is asked, under whichever of GDAL's network names.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".the-network-is-closed",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_TIMEOUT": "1",
    "GDAL_HTTP_MAX_RETRY": "0",
    "AWS_EC2_METADATA_DISABLED": "YES",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # Standard input is the life line; a file that names it would take the next request.
    "CPL_ALLOW_VSISTDIN": "NO",
    "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE": "SIBLING_OR_CHILD_OF_VRT_PATH",
}
_NETWORK = ("curl", "s3", "gs", "az", "adls", "oss", "swift", "hdfs", "webhdfs")
_WEB_NAME = re.compile(rf"/vsi({'|'.join(_NETWORK)})(_streaming)?\b", re.I)
# "://" alone tells no address: HDF5:"file"://part holds it too.
_WEB_ADDRESS = re.compile(r"\b(https?|ftps?|s3|gs|az|oss|swift|webhdfs|hdfs)(\+\w+)?://", re.I)
# Standard input is the life line.
_OWN_INPUT = re.compile(r"/vsistdin\b|/dev/(stdin|fd)\b|/proc/", re.I)


def close() -> None:
    """Set GDAL up for this process; again does no harm."""
    os.environ.update(_SETTINGS)


def leads_to_the_web(name: str) -> bool:
    """Whether GDAL would take this name for a place on the network."""
    return bool(_WEB_ADDRESS.search(name) or _WEB_NAME.search(name))


def is_our_own_input(name: str) -> bool:
    """Whether this names what the engine itself is told by, which is no raster."""
    return bool(_OWN_INPUT.search(name))


close()
