"""Scenes to be measured on: cubes whose every pixel is known, none of them trained on.

Indian Pines comes with the package tensorly; the others lie in ../shared/data, which a plain clone
does not have. What is missing is left out, and named by `missing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from ..rasd_qgis.engine.rasters.spectral import read_spectral
from . import indian_pines

Image = NDArray[np.float64]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# Every ratio of the benchmark divides the sides that are cut to this.
MULTIPLE = 8
# A band that never leaves zero by so much of the scene's peak holds no measurement.
LEAST_SIGNAL = 1e-3


@dataclass(frozen=True)
class Scene:
    """cube: (B, H, W), sides cut to a multiple of 8, dead bands left out; wavelengths: nm or None.

    sensor: whose pixels they are; role: "test", or "left-out sensor" where scenes of that sensor
    are in the training set of the bundled model and it must be trained without them.
    """

    name: str
    sensor: str
    role: str
    cube: Image
    wavelengths: tuple[float, ...] | None


@dataclass(frozen=True)
class Place:
    """Where a scene lies: `file` under ../shared/data (None: tensorly's)."""

    name: str
    sensor: str
    role: str
    file: str | None

    def is_here(self) -> bool:
        """Whether the scene can be loaded."""
        return self.file is None or (DATA / self.file).is_file()

    def load(self) -> Scene:
        """Read the scene and cut it."""
        cube, waves = self._read()
        height, width = (side // MULTIPLE * MULTIPLE for side in cube.shape[1:])
        cube = cube[:, :height, :width]
        lit = np.abs(cube).max(axis=(1, 2)) > LEAST_SIGNAL * cube.max()
        kept = None if waves is None else tuple(float(wave) for wave in waves[lit])
        return Scene(self.name, self.sensor, self.role, np.ascontiguousarray(cube[lit]), kept)

    def _read(self) -> tuple[Image, NDArray[np.float64] | None]:
        if self.file is None:
            return indian_pines.load_scene()
        read = _READERS[Path(self.file).suffix]
        return read(DATA / self.file)


PLACES = (
    Place("indian-pines", "AVIRIS", "test", None),
    Place("cave-balloons", "CAVE", "test", "cave_balloons_100/cave_balloons_100.npz"),
    Place("enmap-west", "EnMAP", "test", "enmap_potsdam/enmap_potsdam_west_64x64.tif"),
    *(
        Place(f"hyperion-{name}", "Hyperion", "test", f"hyperion_patches/{file}.npz")
        for name, file in (
            ("forest-0", "Im1_clean_patch_0000"),
            ("forest-1", "Im1_clean_patch_0001"),
            ("forest-2", "Im1_clean_patch_0002"),
            ("forest-3", "Im1_clean_patch_0003"),
            ("water-1", "hyperion_patch_water_1"),
        )
    ),
    Place("casi", "CASI", "left-out sensor", "muufl_gulfport_90/muufl_gulfport_90.npz"),
    Place("samson", "SAMSON", "left-out sensor", "samson_95/samson_95.npz"),
    Place("enmap-north", "EnMAP", "left-out sensor", "enmap_potsdam/enmap_potsdam_north_96x64.tif"),
    Place("cave-feathers", "CAVE", "left-out sensor", "cave_feathers_150/cave_feathers_150.npz"),
    Place("cave-toy", "CAVE", "left-out sensor", "cave_stuffed_toy_150/cave_stuffed_toy_150.npz"),
)


def missing() -> list[str]:
    """Names of the scenes that are not on this machine."""
    return [place.name for place in PLACES if not place.is_here()]


def _read_npz(path: Path) -> tuple[Image, NDArray[np.float64] | None]:
    """A cube (rows, columns, bands) and its wavelengths, where the file names any."""
    with np.load(path, allow_pickle=False) as data:
        if "im20" in data.files:
            return _sentinel_2(data["im10"], data["im20"]), None
        cube = np.moveaxis(data["cube"].astype(np.float64), 2, 0)
        named = [key for key in data.files if key.startswith("wavelengths_nm")]
        return cube, data[named[0]].astype(np.float64) if named else None


def _sentinel_2(at_10_m: Image, at_20_m: Image) -> Image:
    """(10, H, W): all bands of 10 and 20 m at 20 m, by wavelength: B2…B7, B8, B8A, B11, B12."""
    rows, cols, count = at_10_m.shape
    averaged = at_10_m.reshape(rows // 2, 2, cols // 2, 2, count).mean((1, 3))
    parts = averaged[..., :3], at_20_m[..., :3], averaged[..., 3:], at_20_m[..., 3:]
    return np.moveaxis(np.concatenate(parts, 2).astype(np.float64), 2, 0)


def _read_tif(path: Path) -> tuple[Image, NDArray[np.float64] | None]:
    """The good bands of a raster, with their wavelengths."""
    with rasterio.open(path) as dataset:
        info = read_spectral(dataset)
        good = np.array(info.good)
        cube = dataset.read().astype(np.float64)[good]
    if None in info.wavelengths:
        return cube, None
    return cube, np.array(info.wavelengths, dtype=np.float64)[good]


_Reader = Callable[[Path], "tuple[Image, NDArray[np.float64] | None]"]
_READERS: dict[str, _Reader] = {".npz": _read_npz, ".tif": _read_tif, ".bsq": _read_tif}
