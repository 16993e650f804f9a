"""Facts by which a raster is known again: what it shows, and its files' names, sizes and ends."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import rasterio

from .read import Raster

# Read of a file's beginning and of its end, beside its size and time.
_HEAD_BYTES = 2**16
# Side files that other programs write beside an input; what counts in them shows in the raster.
_OTHERS = (".aux.xml", ".ovr")


def raster_facts(raster: Raster) -> list[Any]:
    """What the raster shows, then `file_facts` of each of its files."""
    with rasterio.open(raster.source.path) as dataset:
        names = [name for name in dataset.files if not name.lower().endswith(_OTHERS)]
    shown = raster.grid, raster.encoding, raster.spectral, raster.bands, raster.good.tolist()
    return [repr(shown), *map(file_facts, names)]


def file_facts(name: str) -> list[Any]:
    """Name, size, time, and a digest of both ends; of what is no file of its own, the name."""
    if not os.path.isfile(name):
        return [name]
    found = os.stat(name)
    with open(name, "rb") as file:
        ends = file.read(_HEAD_BYTES)
        file.seek(max(0, found.st_size - _HEAD_BYTES))
        ends += file.read(_HEAD_BYTES)
    return [name, found.st_size, found.st_mtime_ns, hashlib.sha256(ends).hexdigest()]


def fingerprint(raster: Raster) -> str:
    """The same on every machine that sees the same files, whatever their times there."""
    shown, *files = raster_facts(raster)
    told = [shown, *([name, *rest[:1], *rest[2:]] for name, *rest in files)]
    return hashlib.sha256(repr(told).encode()).hexdigest()
