"""Benchmarks are read as they are published, shown on small files in their layouts."""

from __future__ import annotations

from contextlib import ExitStack

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io

from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine.learning.cube import Keeper
from rasd_fusion.rasd_qgis.engine.learning.layouts import read_layout
from rasd_fusion.rasd_qgis.engine.learning.matlab import level5_arrays
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster

ROWS, COLS, BANDS = 6, 9, 31


@pytest.fixture
def scene():
    """(rows, columns, bands), as MATLAB holds it."""
    return np.random.default_rng(0).random((ROWS, COLS, BANDS))


def read(folder, layout, budget=2**30):
    """Name, values (bands, rows, columns) and wavelengths of every scene, by window and whole."""
    found = {}
    with ExitStack() as stack:
        for cube in read_layout(str(folder), layout, Keeper(budget), stack):
            height, width = cube.grid.shape
            values, valid = cube.read(0, height, 0, width)
            assert valid.all()
            part, _ = cube.read(1, 3, 2, 7)
            np.testing.assert_array_equal(part, values[:, 1:3, 2:7])
            found[cube.name] = values, cube.spectral.wavelengths
    return found


def write_png(path, bands):
    size = {"height": bands.shape[1], "width": bands.shape[2], "count": len(bands)}
    with rasterio.open(path, "w", driver="PNG", dtype=bands.dtype, **size) as dataset:
        dataset.write(bands)


def write_cave(folder, name, scene, dtype="uint16"):
    """`<name>/<name>/<name>_01.png` and so on, and the picture that lies beside them."""
    place = folder / name / name
    place.mkdir(parents=True)
    values = (scene * np.iinfo(dtype).max).astype(dtype)
    for band in range(BANDS):
        planes = values[None, :, :, band]
        if dtype == "uint8":  # as one published scene is: four bands of eight bits
            planes = np.concatenate([planes] * 3 + [np.full_like(planes, 255)])
        write_png(place / f"{name}_{band + 1:02}.png", planes)
    (place / f"{name[:-3]}_RGB.bmp").write_bytes(b"BM")
    return np.moveaxis(values, 2, 0).astype("float32")


def write_v73(path, **variables):
    """As MATLAB's save -v7.3: its text first, then HDF5 with the axes in reverse."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in variables.items():
            turned = np.ascontiguousarray(array.T)
            file.create_dataset(name, data=turned, chunks=True, compression="gzip")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\x02IM")


@pytest.mark.parametrize("budget", [2**30, 0])
def test_cave(tmp_path, scene, budget):
    one = write_cave(tmp_path, "balloons_ms", scene)
    other = write_cave(tmp_path, "beads_ms", scene[::-1])
    found = read(tmp_path, "cave", budget)
    assert list(found) == ["balloons_ms", "beads_ms"]
    np.testing.assert_array_equal(found["balloons_ms"][0], one)
    np.testing.assert_array_equal(found["beads_ms"][0], other)
    assert found["beads_ms"][1] == tuple(range(400, 701, 10))


def test_the_scene_of_cave_that_has_eight_bits_comes_in_the_range_of_the_others(tmp_path, scene):
    values = write_cave(tmp_path, "watercolors_ms", scene, "uint8")
    found = read(tmp_path, "cave")["watercolors_ms"][0]
    np.testing.assert_array_equal(found, values * 257)
    np.testing.assert_allclose(found / 65535, np.moveaxis(scene, 2, 0), atol=1 / 255)


def test_a_scene_of_cave_that_lacks_a_band_is_refused(tmp_path, scene):
    write_cave(tmp_path, "balloons_ms", scene)
    (tmp_path / "balloons_ms/balloons_ms/balloons_ms_07.png").unlink()
    with pytest.raises(InputError, match="balloons_ms has 30 numbered PNG files"):
        read(tmp_path, "cave")


@pytest.mark.parametrize("budget", [2**30, 0])
def test_icvl(tmp_path, scene, budget):
    wavelengths = np.arange(400.0, 701, 10)[:, None]
    write_v73(tmp_path / "4cam_0411-1640-1.mat", bands=wavelengths, rad=scene, rgb=scene[..., :3])
    found = read(tmp_path, "icvl", budget)
    values, waves = found["4cam_0411-1640-1"]
    np.testing.assert_array_equal(values, np.moveaxis(scene, 2, 0).astype("float32"))
    assert waves == tuple(range(400, 701, 10))


@pytest.mark.parametrize("name", ["refl", "img", "anything"])
def test_kaist_as_matlab_73(tmp_path, scene, name):
    write_v73(tmp_path / "scene01_reflectance.mat", **{name: scene})
    values, waves = read(tmp_path, "kaist")["scene01_reflectance"]
    np.testing.assert_array_equal(values, np.moveaxis(scene, 2, 0).astype("float32"))
    assert waves == tuple(range(420, 721, 10))


def test_kaist_as_hdf5(tmp_path, scene):
    bands_first = np.moveaxis(scene, 2, 0)
    with h5py.File(tmp_path / "scene02.h5", "w") as file:
        file["data/refl"] = bands_first
        file["data/mask"] = np.ones((ROWS, COLS))
    values, _ = read(tmp_path, "kaist")["scene02"]
    np.testing.assert_array_equal(values, bands_first.astype("float32"))


@pytest.mark.parametrize("compressed", [True, False])
def test_kaist_as_matlab_5(tmp_path, scene, compressed):
    contents = {"img": scene, "note": "text", "facts": {"x": 1}, "gain": 2.0}
    path = tmp_path / "scene03.mat"
    scipy.io.savemat(path, contents, do_compression=compressed)
    values, _ = read(tmp_path, "kaist")["scene03"]
    np.testing.assert_array_equal(values, np.moveaxis(scene, 2, 0).astype("float32"))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_matlab_5_holds_every_type_of_number(tmp_path, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    scipy.io.savemat(tmp_path / "a.mat", {"a_rather_long_name": array})
    found = level5_arrays(str(tmp_path / "a.mat"))["a_rather_long_name"]
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_damaged_matlab_file_is_refused_wherever_it_ends(tmp_path, scene, compressed):
    path = tmp_path / "scene.mat"
    scipy.io.savemat(path, {"img": scene}, do_compression=compressed)
    whole = path.read_bytes()
    for size in (0, 10, 127, 140, 200, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError):
            read(tmp_path, "kaist")


def test_what_is_no_scene_is_refused(tmp_path, scene):
    write_v73(tmp_path / "scene.mat", refl=scene[..., :5])
    with pytest.raises(InputError, match=r"scene.mat holds no image of 31 bands, called rad"):
        read(tmp_path, "icvl")


@pytest.mark.parametrize("layout", ["cave", "icvl", "kaist"])
def test_an_empty_folder_and_none_are_refused(tmp_path, layout):
    with pytest.raises(InputError, match="There is no scene of"):
        read(tmp_path, layout)
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "nowhere", layout)


def test_an_image_inside_hdf5_can_be_fused_as_a_layer(tmp_path, scene):
    """QGIS names it as GDAL does, HDF5:"file"://part, which is no web address."""
    write_v73(tmp_path / "scene.mat", rad=scene, rgb=scene[..., :3])
    with Raster(RasterSource(f'HDF5:"{tmp_path / "scene.mat"}"://rad')) as raster:
        assert raster.count == BANDS
