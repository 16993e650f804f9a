"""Sources: a raster as QGIS shows it, told to a process that opens the file by itself."""

from __future__ import annotations

from dataclasses import dataclass

from . import checks
from .checks import Ranges
from .errors import RequestError


@dataclass(frozen=True)
class RasterSource:
    """A raster as QGIS shows it: the file, and what the analyst overrode on the layer.

    path: what GDAL opens, a file or a subdataset's name.
    crs_wkt: replaces or supplies the CRS; None keeps the file's own.
    nodata_ranges: per band, further nodata ranges (low, high), both inclusive; () for none.
    ignore_source_nodata: per band, True where the file's nodata is switched off; () for nowhere.
    name: the layer's name, for sentences.
    """

    path: str
    crs_wkt: str | None = None
    nodata_ranges: Ranges = ()
    ignore_source_nodata: tuple[bool, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        checks.text("path", self.path)
        if self.crs_wkt is not None and not isinstance(self.crs_wkt, str):
            raise RequestError(f"A layer's CRS must be text, not {checks.shown(self.crs_wkt)}.")
        checks.short("layer's name", self.name)
        object.__setattr__(self, "nodata_ranges", checks.ranges(self.nodata_ranges))
        object.__setattr__(self, "ignore_source_nodata", checks.flags(self.ignore_source_nodata))
