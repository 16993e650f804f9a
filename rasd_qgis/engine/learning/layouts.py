"""Layouts: the benchmarks of the literature, read as they are published.

CAVE is a folder a scene with 31 PNG files of 16 bits; ICVL one MATLAB 7.3 file a scene, the image
under `rad`; KAIST one HDF5 or MATLAB file a scene. Rows and columns of a MATLAB image come in
MATLAB's order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...contract.errors import InputError
from ..rasters.grid import Grid
from ..rasters.read import Raster
from ..rasters.view import Image
from .cube import Cube, Keeper, of_array, of_raster, of_stack, open_source
from .matlab import hdf5_variables, level5_arrays

BANDS = 31
_MATLAB_FILES = (".mat", ".h5", ".hdf5")
_CAVE_BAND = re.compile(r"_(\d{1,2})\.png$", re.IGNORECASE)


@dataclass(frozen=True)
class Benchmark:
    """title: for sentences; first: wavelength of the first of the bands, nm, ten apart.

    names: of the variable that holds the image, the likeliest first; () takes the only one.
    """

    title: str
    first: int
    names: tuple[str, ...] = ()

    @property
    def wavelengths(self) -> list[float]:
        """Of all bands, nm."""
        return [float(self.first + 10 * band) for band in range(BANDS)]


BENCHMARKS = {
    "cave": Benchmark("CAVE", 400),
    "icvl": Benchmark("ICVL", 400, ("rad",)),
    "kaist": Benchmark("KAIST", 420, ("refl", "img", "hyper", "HSI")),
}


def read_layout(folder: str, layout: str, keeper: Keeper, stack: ExitStack) -> list[Cube]:
    """All scenes below a benchmark's folder, by name; InputError where there is none.

    stack: closes the files that stay open.
    """
    place, kind = Path(folder), BENCHMARKS[layout]
    if not place.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Choose the benchmark's folder.")
    if layout == "cave":
        cubes = list(_cave(place, kind, keeper))
    else:
        files = sorted(f for f in place.rglob("*") if f.suffix.lower() in _MATLAB_FILES)
        cubes = [_matlab(file, kind, keeper, stack) for file in files if file.is_file()]
    if not cubes:
        what = (
            "a folder a scene with 31 PNG files in it"
            if layout == "cave"
            else "a .mat or .h5 file a scene"
        )
        raise InputError(
            f"There is no scene of {kind.title} in {place.name}.",
            f"As published it has {what}; choose the folder above them.",
        )
    return cubes


def _cave(place: Path, kind: Benchmark, keeper: Keeper) -> Iterator[Cube]:
    """A cube for each folder that holds bands: `<scene>_ms_01.png` to `<scene>_ms_31.png`."""
    folders = sorted({path.parent for path in place.rglob("*") if _CAVE_BAND.search(path.name)})
    for folder in folders:
        bands = {
            int(found.group(1)): path
            for path in folder.iterdir()
            if (found := _CAVE_BAND.search(path.name))
        }
        if sorted(bands) != list(range(1, BANDS + 1)):
            raise InputError(
                f"The scene {folder.name} has {len(bands)} numbered PNG files, not {BANDS}.",
                "Take the scene from its publisher again.",
            )
        paths = [bands[number] for number in sorted(bands)]
        yield of_stack(folder.name, paths, kind.wavelengths, keeper)


def _matlab(file: Path, kind: Benchmark, keeper: Keeper, stack: ExitStack) -> Cube:
    """The cube of a scene's file."""
    variables = hdf5_variables(str(file))
    if variables:
        raster = stack.enter_context(_image_in(file, variables, kind))
        cube = of_raster(raster, keeper, kind.wavelengths)
        return _turned(cube) if _is_matlab(file) else cube
    arrays = {name: one for name, one in level5_arrays(str(file)).items() if one.ndim == 3}
    name = _chosen(arrays, kind, file)
    values = arrays[name]
    if values.shape[2] != BANDS:
        raise _no_image(file, kind)
    return of_array(file.stem, np.moveaxis(values, 2, 0), kind.wavelengths, file.stat().st_size)


def _image_in(file: Path, variables: dict[str, str], kind: Benchmark) -> Raster:
    """The open raster of an HDF5 file's image."""
    for name in (*filter(variables.get, kind.names), *variables):
        try:
            raster = open_source(variables[name], file.stem)
        except InputError:
            continue
        if raster.count == BANDS:
            return raster
        raster.close()
    raise _no_image(file, kind)


def _chosen(arrays: dict[str, np.ndarray], kind: Benchmark, file: Path) -> str:
    named = [name for name in kind.names if name in arrays]
    if not named and len(arrays) != 1:
        raise _no_image(file, kind)
    return named[0] if named else next(iter(arrays))


def _no_image(file: Path, kind: Benchmark) -> InputError:
    wanted = f", called {kind.names[0]}" if kind.names else ""
    return InputError(
        f"{file.name} holds no image of {BANDS} bands{wanted}, as a scene of {kind.title} does.",
        "Take away what is no scene, or choose another layout.",
    )


def _is_matlab(file: Path) -> bool:
    """Whether MATLAB wrote an HDF5 file: its text stands before what HDF5 itself writes."""
    with file.open("rb") as opened:
        return opened.read(6) == b"MATLAB"


def _turned(cube: Cube) -> Cube:
    """Rows and columns exchanged: MATLAB keeps a column together, HDF5 a row."""
    read, grid = cube.read, cube.grid

    def turned(row0: int, row1: int, col0: int, col1: int) -> Image:
        values, valid = read(col0, col1, row0, row1)
        return np.ascontiguousarray(values.swapaxes(1, 2)), np.ascontiguousarray(valid.T)

    cube.grid = Grid(grid.crs, grid.transform, grid.width, grid.height)
    cube.read = turned
    return cube
