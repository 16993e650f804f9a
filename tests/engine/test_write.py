"""Outputs: the right values in the right encoding, whole under their name or not there at all."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.crs import CRS
from rasterio.windows import Window

from rasd_fusion.rasd_qgis.contract.errors import OutputError
from rasd_fusion.rasd_qgis.contract.leftovers import remove_leftovers
from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource
from rasd_fusion.rasd_qgis.engine.rasters import formats
from rasd_fusion.rasd_qgis.engine.rasters.encode import Encoding
from rasd_fusion.rasd_qgis.engine.rasters.formats import check_writable, driver_of
from rasd_fusion.rasd_qgis.engine.rasters.grid import Grid
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo
from rasd_fusion.rasd_qgis.engine.rasters.write import BLOCK, OutputRaster

RUN = "0123abcd"
TURN = Affine.translation(400000, 5800000) * Affine.rotation(20) * Affine.scale(10, -10)
WAVES = SpectralInfo(("", "red edge"), (655.2, 705.0), (10.0, 12.0), (True, False))
INTEGERS = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def grid(height=40, width=50, transform=TURN):
    return Grid(CRS.from_epsg(32633), transform, height, width)


def output(path, place=None, spectral=WAVES, encoding=None, tags=None):
    place, encoding = place or grid(), encoding or Encoding("uint16")
    return OutputRaster(str(path), RUN, place, spectral, encoding, tags)


def write_all(out, values, valid=None):
    height, width = out.grid.shape
    valid = np.ones((height, width), dtype=bool) if valid is None else valid
    out.write(Window(0, 0, width, height), values, valid)


def ramp(height=40, width=50, count=2):
    return np.arange(count * height * width, dtype="float32").reshape(count, height, width)


@given(
    values=hnp.arrays("float32", (2, 3, 4), elements=st.floats(width=32, allow_infinity=False)),
    missing=hnp.arrays(bool, (2, 3, 4)),
    dtype=st.sampled_from([*INTEGERS, "float32", "float64"]),
    nodata=st.none() | st.floats(-1e6, 1e6, width=32).map(round) | st.just(float("nan")),
)
def test_valid_values_keep_off_nodata(values, missing, dtype, nodata):
    missing = missing | np.isnan(values)
    encoding = Encoding(dtype, nodata)
    stored, fill = encoding.store(values, missing), encoding.fill
    assert stored.dtype == dtype
    is_fill = np.isnan(stored) if np.isnan(fill) else stored == fill
    assert np.array_equal(is_fill, missing)
    here = stored[~missing].astype("float64")
    if np.dtype(dtype).kind == "f":
        assert here == pytest.approx(values[~missing].astype("float64"), rel=3e-6, abs=1e-29)
        return
    limits = np.iinfo(dtype)
    wanted = np.clip(np.rint(values[~missing].astype("float64")), limits.min, limits.max)
    moved = np.abs(here - wanted)
    # float64 itself has no neighbours closer than this at the ends of 64-bit ranges.
    grain = limits.max * 1e-15
    assert np.all(moved <= np.where(np.isclose(wanted, float(fill)), max(1, grain), grain))


@pytest.mark.parametrize(
    ("dtype", "nodata", "fill", "given"),
    [
        ("uint16", None, 65535, False),
        ("uint8", None, 255, False),
        ("int16", None, -32768, False),
        ("int16", -9999.0, -9999, True),
        ("uint16", -9999.0, 65535, False),
        ("int16", float("nan"), -32768, False),
        ("float32", -9999.0, -9999, True),
    ],
)
def test_the_value_of_invalid_pixels(dtype, nodata, fill, given):
    encoding = Encoding(dtype, nodata)
    assert encoding.fill == fill
    assert encoding.fill_is_given is given


def test_floats_take_nan_where_nothing_is_given():
    assert np.isnan(Encoding("float32").fill)
    assert Encoding("float32", float("nan")).fill_is_given


@pytest.mark.parametrize("suffix", [".tif", ".img", ".bsq", ".bil", ".dat"])
def test_a_file_carries_everything(tmp_path, suffix):
    path = tmp_path / f"fused{suffix}"
    north_up = grid(transform=Affine(10, 0, 400000, 0, -10, 5800000))
    encoding = Encoding("uint16", 65535.0, (0.0001, 0.0001), (0.5, 0.5))
    values = ramp()
    with output(path, north_up, encoding=encoding, tags={"RASD_RUN": "x"}) as out:
        valid = np.ones((40, 50), dtype=bool)
        valid[3, 4] = False
        write_all(out, values, valid)
    with Raster(RasterSource(str(path))) as raster:
        read, seen = raster.read(Window(0, 0, 50, 40))
        assert np.argwhere(~seen).tolist() == [[3, 4]]
        assert np.array_equal(read[:, seen], values[:, seen])
        assert raster.encoding == encoding
        assert raster.spectral.wavelengths == WAVES.wavelengths
        assert raster.spectral.fwhm == WAVES.fwhm
        assert raster.spectral.good == WAVES.good
        assert raster.grid.transform == north_up.transform
        assert raster.grid.crs.to_epsg() == 32633
    with rasterio.open(path) as dataset:
        assert dataset.tags()["RASD_RUN"] == "x"
        assert dataset.descriptions == ("band 1 (655.2 Nanometers)", "red edge (705 Nanometers)")
    assert all(not name.startswith(".") for name in os.listdir(tmp_path))


def test_an_envi_header_says_it_to_envi_programs(tmp_path):
    with output(tmp_path / "fused.bsq") as out:
        write_all(out, ramp())
    header = (tmp_path / "fused.hdr").read_text()
    for line in ("interleave = bsq", "wavelength = {655.2, 705}", "wavelength units = Nanometers",
                 "fwhm = {10, 12}", "bbl = {1, 0}"):  # fmt: skip
        assert line in header
    assert str(tmp_path) not in header


def test_a_geotiff_is_laid_out_for_looking_at(tmp_path):
    path, size = tmp_path / "fused.tif", 3 * BLOCK + 10
    with output(path, grid(size, size)) as out:
        for row in range(0, size, BLOCK):
            height = min(BLOCK, size - row)
            part = np.full((2, height, size), 7, dtype="float32")
            out.write(Window(0, row, size, height), part, np.ones((height, size), dtype=bool))
    with rasterio.open(path) as dataset:
        assert dataset.block_shapes == [(BLOCK, BLOCK)] * 2
        assert dataset.compression.name == "deflate"
        assert dataset.interleaving.name == "band"
        assert dataset.overviews(1) == [2, 4]
        assert dataset.transform == TURN
        assert (dataset.read() == 7).all()
        assert dataset.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"
    with rasterio.open(path, overview_level=1) as dataset:
        assert (dataset.read() == 7).all()


def test_overviews_leave_nodata_out(tmp_path):
    path, size = tmp_path / "fused.tif", 2 * BLOCK
    valid = np.ones((size, size), dtype=bool)
    valid[::2] = False
    with output(path, grid(size, size)) as out:
        write_all(out, np.full((2, size, size), 100, dtype="float32"), valid)
    with rasterio.open(path, overview_level=0) as dataset:
        assert (dataset.read() == 100).all()


def test_windows_in_any_order_and_phase(tmp_path):
    path, values = tmp_path / "fused.tif", ramp(300, 310, 2) % 60000
    with output(path, grid(300, 310)) as out:
        parts = [(r, c) for r in range(0, 300, 70) for c in range(0, 310, 90)]
        for row, col in reversed(parts):
            part = values[:, row : row + 70, col : col + 90]
            window = Window(col, row, part.shape[2], part.shape[1])
            out.write(window, part, np.ones(part.shape[1:], dtype=bool))
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), values)


def test_nodata_is_chosen_only_where_it_is_needed(tmp_path):
    values = np.full((2, 40, 50), 65535.0, dtype="float32")
    with output(tmp_path / "full.tif") as full:
        write_all(full, values)
    with output(tmp_path / "holed.tif") as holed:
        write_all(holed, values, np.arange(2000).reshape(40, 50) > 0)
    with rasterio.open(tmp_path / "full.tif") as dataset:
        assert dataset.nodata is None
        assert (dataset.read() == 65534).all()
    with rasterio.open(tmp_path / "holed.tif") as dataset:
        assert dataset.nodata == 65535
        assert (dataset.read() == 65535).sum() == 2
    assert full.notes == []
    assert "65535" in holed.notes[0]


def test_a_band_without_data_is_nodata_in_that_band_alone(tmp_path):
    values = ramp()
    values[1] = np.nan
    with output(tmp_path / "fused.tif", encoding=Encoding("float32", -1.0)) as out:
        write_all(out, values + 5)
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        assert np.array_equal(dataset.read(1), ramp()[0] + 5)
        assert (dataset.read(2) == -1).all()


@pytest.mark.parametrize("suffix", [".tif", ".img"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_nothing_is_left_and_the_old_file_stands(tmp_path, suffix, error):
    path = tmp_path / f"fused{suffix}"
    path.write_bytes(b"the old one")
    with pytest.raises(error):
        fail_half_way(output(path), error)
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"the old one"


def fail_half_way(out, error):
    with out:
        write_all(out, ramp())
        assert len(os.listdir(out.path.parent)) == 2
        raise error


def test_the_final_name_appears_only_when_complete(tmp_path):
    path = tmp_path / "fused.tif"
    with output(path) as out:
        write_all(out, ramp())
        assert os.listdir(tmp_path) == [f".fused.rasd-{RUN}.part.tif"]
    assert os.listdir(tmp_path) == ["fused.tif"]


def test_side_files_of_the_raster_it_replaces_go(tmp_path):
    path = tmp_path / "fused.tif"
    for name in ("fused.tif", "fused.tif.aux.xml", "fused.tif.ovr", "fused.qml"):
        (tmp_path / name).write_text("old")
    with output(path) as out:
        write_all(out, ramp())
    assert sorted(os.listdir(tmp_path)) == ["fused.qml", "fused.tif"]


def test_two_runs_to_one_folder_do_not_touch_each_other(tmp_path):
    first = output(tmp_path / "a.tif")
    second = OutputRaster(str(tmp_path / "a.tif"), "ffff0000", grid(), WAVES, Encoding("uint16"))
    with first:
        write_all(first, ramp())
        with second:
            write_all(second, ramp() + 1)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert np.array_equal(dataset.read(), ramp())


def test_a_copy_in_another_format_that_lost_values_is_noticed(tmp_path, monkeypatch):
    """As Erdas Imagine's driver does on a full disk, without an error."""

    def losing_copy(source, target, driver, **options):
        with rasterio.open(source) as dataset:
            profile, values = {**dataset.profile, "driver": driver}, dataset.read()
        values[1, 30:] = 0
        with rasterio.open(target, "w", **profile) as dataset:
            dataset.write(values)

    monkeypatch.setattr("rasterio.shutil.copy", losing_copy)
    with pytest.raises(OutputError, match="same values"):
        finish(output(tmp_path / "fused.img"))
    assert os.listdir(tmp_path) == []


def finish(out):
    with out:
        write_all(out, ramp())


@pytest.mark.parametrize("suffix", [".tif", ".img"])
@pytest.mark.parametrize("side", [200, 300])
def test_a_full_disk_leaves_a_whole_file_or_none(tmp_path, suffix, side):
    """The limit on a file's size stands for the disk: GDAL closes on both without a word."""
    noise = np.random.default_rng(0).random((2, side, side)).astype("float32")
    path, outcomes = tmp_path / f"fused{suffix}", set()
    for limit in range(0, 4 * noise.nbytes, noise.nbytes // 7):
        refusal = refused_by_limit(limit, output(path, grid(side, side), encoding=FLOATS), noise)
        outcomes.add(refusal is None)
        if refusal is None:
            with rasterio.open(path) as dataset:
                assert np.array_equal(dataset.read(), noise)
            for left in os.listdir(tmp_path):
                (tmp_path / left).unlink()
        else:
            assert refusal.advice
            assert os.listdir(tmp_path) == []
    assert outcomes == {True, False}


def refused_by_limit(limit, out, values):
    """The error of writing where no file may exceed so many bytes, or None."""
    try:
        with file_size_limit(limit), out:
            write_all(out, values)
    except OutputError as error:
        return error
    return None


FLOATS = Encoding("float32")


@contextlib.contextmanager
def file_size_limit(size):
    """No file may grow beyond so many bytes within."""
    resource = pytest.importorskip("resource", reason="limits on files are POSIX's")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("a.tif", "GTiff"),
        ("a.TIFF", "GTiff"),
        ("a.img", "HFA"),
        ("a.b.bsq", "ENVI"),
        ("a.dat", "ENVI"),
    ],
)
def test_the_extension_gives_the_format(name, driver):
    assert driver_of(name) == driver


@pytest.mark.parametrize("name", ["a", "a.xyzzy", "a.jpg", "a.vrt", "a.tif.bak"])
def test_formats_that_do_not_serve_are_refused(tmp_path, name):
    with pytest.raises(OutputError, match="format"):
        check_writable(str(tmp_path / name))
    with pytest.raises(OutputError, match="format"):
        output(tmp_path / name)


def test_outputs_that_cannot_be_written_are_refused_before_any_work(tmp_path):
    check_writable(str(tmp_path / "a.tif"), count=300, dtype="int16")
    source = tmp_path / "in.tif"
    source.write_bytes(b"input")
    folder = tmp_path / "folder.tif"
    folder.mkdir()
    for path, sentence in (
        (tmp_path / "none" / "a.tif", "does not exist"),
        (folder, "is a folder"),
        (source, "also an input"),
        (Path("/proc/a.tif"), "cannot be written"),
    ):
        with pytest.raises(OutputError, match=sentence):
            check_writable(str(path), inputs=[str(source)])
    assert sorted(os.listdir(tmp_path)) == ["folder.tif", "in.tif"]


@pytest.mark.parametrize(("count", "dtype"), [(200, "uint16"), (3, "float32")])
def test_a_format_that_cannot_hold_it_is_refused_before_any_work(tmp_path, count, dtype):
    with pytest.raises(OutputError, match="does not take"):
        check_writable(str(tmp_path / "a.png"), count=count, dtype=dtype)
    check_writable(str(tmp_path / "a.png"), count=3, dtype="uint16")
    assert os.listdir(tmp_path) == []


def test_a_shape_that_does_not_fit_the_window_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="do not fill"), output(tmp_path / "a.tif") as out:
        out.write(Window(0, 0, 5, 5), np.zeros((2, 5, 6)), np.ones((5, 5), dtype=bool))
    assert os.listdir(tmp_path) == []


def test_what_is_tried_before_a_run_bears_its_name_and_goes_where_the_run_is_killed(
    tmp_path, monkeypatch
):
    """The engine may be killed while it tries a driver; QGIS then removes what bears its id."""
    run, seen = "0123456789abcdef", []
    source = RasterSource("a.tif")
    request = FuseRequest(run, source, source, output=str(tmp_path / "a.tif"))

    def tried(*_):
        seen.extend(path.name for path in tmp_path.iterdir())
        (tmp_path / "mine.tif").touch()
        remove_leftovers(request)
        seen.append(len(list(tmp_path.glob(".rasd-*"))))

    monkeypatch.setattr(formats, "_try_driver", tried)
    check_writable(str(tmp_path / "a.tif"), count=1, dtype="uint8", run_id=run)
    assert len(seen) == 2 and run in seen[0] and seen[1] == 0
    assert (tmp_path / "mine.tif").exists()
