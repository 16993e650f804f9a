"""MATLAB files as benchmarks are published: of version 7.3, which is HDF5, and of level 5.

GDAL reads HDF5 by window. Level 5 ("v6" and "v7" of MATLAB's save) is read here, whole: a chain of
elements, each a type, a length and its bytes, the variables compressed by zlib in v7. Only real
numeric arrays are looked at. After MathWorks, *MAT-File Format*, the chapter on level 5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from ...contract.errors import InputError

_HEADER = 128
_COMPRESSED, _MATRIX = 15, 14
# Element types that hold numbers, and the array classes that do (sparse, cells, structs do not).
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_NUMERIC_CLASSES = range(6, 16)
# No scene of a benchmark comes near it; a file that promises more is damaged.
_MOST_BYTES = 8 * 2**30


def hdf5_variables(path: str) -> dict[str, str]:
    """The variables of an HDF5 file by name, each with what GDAL opens; {} where it is none."""
    try:
        with rasterio.open(path) as dataset:
            if not dataset.driver.startswith("HDF5"):
                return {}
            inside = [name.rpartition("://") for name in dataset.subdatasets]
            if not inside and dataset.count:
                return {Path(path).stem: path}
    except RasterioError:
        return {}
    return {name: f'HDF5:"{path}"://{name}' for _, _, name in inside}


def level5_arrays(path: str) -> dict[str, np.ndarray]:
    """The numeric arrays of a level 5 file by name; InputError where it is none."""
    try:
        data = Path(path).read_bytes()
        if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
            raise ValueError("it has no header of level 5")
        order = "<" if data[126:128] == b"IM" else ">"
        return dict(_variables(data[_HEADER:], order))
    except (OSError, ValueError, struct.error, zlib.error) as error:
        raise InputError(
            f"{Path(path).name} is no MATLAB file that can be read here ({error}).",
            "Save the image from MATLAB as a plain numeric array, with -v7.3 or -v7.",
        ) from error


def _variables(data: bytes, order: str) -> Iterator[tuple[str, np.ndarray]]:
    for kind, body in _elements(data, order):
        if kind == _COMPRESSED:
            yield from _variables(_inflated(body), order)
        elif kind == _MATRIX:
            yield from _numeric(body, order)


def _numeric(body: bytes, order: str) -> Iterator[tuple[str, np.ndarray]]:
    """The array of a matrix element with its name; nothing where it holds no real numbers."""
    parts = _elements(body, order)
    flags, shape, name = (next(parts, (0, b""))[1] for _ in range(3))
    if len(flags) < 4:
        return
    word = struct.unpack(order + "I", flags[:4])[0]
    is_complex = bool(word & 0x800)
    kind, values = next(parts, (0, b""))
    if word & 0xFF not in _NUMERIC_CLASSES or is_complex or kind not in _NUMBERS:
        return
    sides = np.frombuffer(shape, order + "i4")
    array = np.frombuffer(values, order + _NUMBERS[kind])
    yield name.decode("latin-1"), array.reshape(sides, order="F")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each element in a row; short ones hold both in their first eight bytes."""
    place = 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, place)
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            following = place + 8
        else:
            start = place + 8
            # Elements are padded to eight bytes, compressed ones excepted.
            following = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(data):
            raise ValueError("it ends before its last element does")
        yield kind, data[start : start + size]
        place = following


def _inflated(body: bytes) -> bytes:
    engine = zlib.decompressobj()
    data = engine.decompress(body, _MOST_BYTES)
    if not engine.eof:
        raise ValueError("a compressed array does not end")
    return data
