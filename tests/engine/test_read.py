"""Rasters as inputs: what is a measurement, what is not, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster
from rasd_fusion.rasd_qgis.engine.rasters.validity import SampleRules, dead_bands, is_mask, storable


def whole(raster):
    return raster.read(Window(0, 0, raster.grid.width, raster.grid.height))


def cube(count=4, side=6, dtype="float32"):
    return (1 + np.arange(count * side * side).reshape(count, side, side)).astype(dtype)


def opened(path, **overrides):
    return Raster(RasterSource(path, **overrides))


def test_values_are_the_stored_ones(make_raster):
    def describe(dataset):
        dataset.scales, dataset.offsets = (0.0001,) * 4, (0.5,) * 4

    values = cube(dtype="uint16")
    with opened(make_raster(values, nodata=65535, describe=describe), name="scene") as raster:
        read, valid = whole(raster)
        assert raster.name == "scene"
        assert raster.encoding.dtype == "uint16"
        assert raster.encoding.nodata == 65535
        assert raster.encoding.scales == (0.0001,) * 4
        assert raster.encoding.offsets == (0.5,) * 4
        assert raster.notes == []
    assert read.dtype == np.float32
    assert np.array_equal(read, values)
    assert valid.all()


def test_nodata_nan_and_infinity_are_invalid_and_come_back_finite(make_raster):
    values = cube()
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = -9999, np.nan, np.inf
    with opened(make_raster(values, nodata=-9999)) as raster:
        read, valid = whole(raster)
    assert {tuple(place) for place in np.argwhere(~valid)} == {(0, 0), (1, 1), (2, 2)}
    assert np.isfinite(read).all()
    assert np.array_equal(read[:, valid], values[:, valid])


def test_what_the_analyst_overrode_counts(make_raster):
    values = cube()
    path = make_raster(values, nodata=1)
    ranges = (((5.0, 7.0),), (), (), ((144.0, 144.0),))
    switched_off = (True, False, False, False)
    with opened(path, nodata_ranges=ranges, ignore_source_nodata=switched_off) as raster:
        _, valid = whole(raster)
    invalid = np.zeros((6, 6), dtype=bool)
    invalid[0, 4], invalid[0, 5], invalid[1, 0], invalid[5, 5] = True, True, True, True
    assert np.array_equal(valid, ~invalid)


def test_nodata_switched_off_is_not_the_nodata_of_results(make_raster):
    path = make_raster(cube(dtype="uint16"), nodata=7)
    with opened(path, ignore_source_nodata=(True,) * 4) as raster:
        assert raster.encoding.nodata is None
    with opened(path, ignore_source_nodata=(True,) * 4, nodata_ranges=(((0, 0),),)) as raster:
        assert raster.encoding.nodata == 0


def test_the_crs_of_the_layer_replaces_the_files(make_raster):
    path = make_raster(cube())
    with opened(path, crs_wkt="EPSG:32632") as raster:
        assert raster.grid.crs.to_epsg() == 32632
    with pytest.raises(InputError, match="CRS"):
        opened(path, crs_wkt="PROJCS[nonsense")


def test_a_dead_band_takes_no_pixels_with_it(make_raster):
    values = cube()
    values[2] = -1
    values[0, 3, 3] = -1
    with opened(make_raster(values, nodata=-1)) as raster:
        read, valid = whole(raster)
        assert raster.dead.tolist() == [False, False, True, False]
        assert raster.good.tolist() == [True, True, False, True]
        assert "1 of 4 bands" in raster.notes[0]
    assert np.argwhere(~valid).tolist() == [[3, 3]]
    assert np.all(read[2] == 0)


def test_a_flagged_band_decides_nothing_but_is_not_dead(make_raster):
    def describe(dataset):
        dataset.update_tags(bbl="{1,0,1,1}")

    values = cube()
    values[1, 0, 0] = np.nan
    with opened(make_raster(values, describe=describe)) as raster:
        assert not raster.dead.any()
        assert raster.good.tolist() == [True, False, True, True]
        assert whole(raster)[1].all()


def test_a_dead_band_is_found_in_a_large_scene_by_looking_at_parts(make_raster):
    values = np.ones((20, 1000, 1000), dtype="uint8")
    values[:, :300] = 0
    values[7] = 0
    with opened(make_raster(values, nodata=0, compress="deflate")) as raster:
        assert np.flatnonzero(raster.dead).tolist() == [7]


def test_alpha_is_a_mask_and_no_band(make_raster):
    def describe(dataset):
        dataset.colorinterp = [*[ColorInterp.undefined] * 3, ColorInterp.alpha]

    values = cube(dtype="uint8")
    values[3] = 255
    values[3, 0] = 0
    with opened(make_raster(values, describe=describe)) as raster:
        read, valid = whole(raster)
        assert raster.count == 3
        assert "alpha" in raster.notes[0]
    assert read.shape == (3, 6, 6)
    assert not valid[0].any()
    assert valid[1:].all()


def test_an_infrared_band_flagged_as_alpha_stays_a_band(make_raster):
    def describe(dataset):
        dataset.colorinterp = [*[ColorInterp.undefined] * 3, ColorInterp.alpha]

    with opened(make_raster(cube(dtype="uint8"), describe=describe)) as raster:
        assert raster.count == 4
        assert "taken as a band" in raster.notes[0]
        assert whole(raster)[1].all()


def test_the_files_own_mask_counts(make_raster):
    def describe(dataset):
        mask = np.full((6, 6), 255, dtype="uint8")
        mask[2, 3] = 0
        dataset.write_mask(mask)

    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = make_raster(cube(), describe=describe)
    with opened(path) as raster:
        assert np.argwhere(~whole(raster)[1]).tolist() == [[2, 3]]


def test_some_bands_of_a_window(make_raster):
    values = cube()
    values[1, 2, 2] = np.nan
    with opened(make_raster(values)) as raster:
        read, valid = raster.read(Window(2, 1, 3, 4), bands=[3, 0])
        assert valid.all()
        assert np.array_equal(read, values[[3, 0], 1:5, 2:5])


def test_without_georeference_it_lies_as_qgis_shows_it(make_raster):
    with opened(make_raster(cube(), transform=Affine.identity(), crs=None)) as raster:
        assert not raster.georeferenced
        assert raster.grid.transform == Affine(1, 0, 0, 0, -1, 0)


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint32"])
def test_digits_beyond_float32_are_noted(make_raster, dtype):
    with opened(make_raster(cube(dtype=dtype))) as raster:
        assert "float32" in raster.notes[0]


def test_a_paletted_raster_is_refused(make_raster):
    def describe(dataset):
        dataset.write_colormap(1, {1: (255, 0, 0, 255)})

    path = make_raster(cube(1, dtype="uint8"), describe=describe, photometric="palette")
    with pytest.raises(InputError, match="paletted"):
        opened(path)


def test_complex_numbers_are_refused(make_raster):
    with pytest.raises(InputError, match="complex"):
        opened(make_raster(cube(dtype="complex64")))


@pytest.mark.parametrize("path", ["https://example.org/a.tif", "/vsicurl/https://example.org/a"])
def test_a_web_service_is_refused(path):
    with pytest.raises(InputError, match="web service"):
        opened(path)


def test_what_is_no_raster_is_refused(tmp_path):
    text = tmp_path / "notes.tif"
    text.write_text("not a raster")
    for path in (text, tmp_path / "missing.tif", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            opened(str(path))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_truncated_file_is_refused_at_once(make_raster, share):
    noise = np.random.default_rng(0).integers(0, 65535, (5, 200, 200)).astype("uint16")
    path = Path(make_raster(noise, interleave="band", compress="deflate"))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"truncated or damaged|cannot be opened"):
        opened(str(path))


def test_a_truncated_large_file_is_refused_at_once(make_raster):
    noise = np.random.default_rng(0).integers(0, 255, (40, 700, 700)).astype("uint8")
    path = Path(make_raster(noise, interleave="band"))
    path.write_bytes(path.read_bytes()[: int(0.9 * path.stat().st_size)])
    with pytest.raises(InputError, match="truncated or damaged"):
        opened(str(path))


@pytest.mark.parametrize("suffix", [".bsq", ".bil"])
def test_a_truncated_envi_file_is_refused(make_raster, suffix):
    noise = np.random.default_rng(0).integers(0, 65535, (5, 60, 60)).astype("uint16")
    path = Path(make_raster(noise, suffix=suffix, driver="ENVI", interleave=suffix[1:]))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"truncated|cannot be opened"):
        opened(str(path))


def test_a_subdataset_opens_by_its_name(make_raster):
    with opened(f"GTIFF_DIR:1:{make_raster(cube())}") as raster:
        assert np.array_equal(whole(raster)[0], cube())


@given(st.floats(), st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"]))
def test_a_nodata_value_is_kept_only_where_the_dtype_holds_it(value, dtype):
    stored = storable(value, np.dtype(dtype))
    if dtype.startswith("float"):
        assert stored is None or np.isfinite(stored)
    else:
        assert (stored is None) == (
            not np.isfinite(value)
            or value != int(value)
            or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
        )
    assert stored is None or dtype == "float32" or stored == value


def test_rules_speak_of_the_files_band_numbers():
    source = RasterSource("x", nodata_ranges=((), ((3, 4),)), ignore_source_nodata=(True,))
    rules = SampleRules((1.0, 2.0, None), (3, 2, 1), source)
    assert rules.nodata == (None, 2.0, None)
    assert rules.ranges == ((), ((3, 4),), ())
    assert rules.common() == 2.0


def test_where_nothing_is_seen_no_band_is_called_dead():
    assert dead_bands(np.ones((3, 10), dtype=bool)) is None


@pytest.mark.parametrize(("missing", "dead"), [(0.4, False), (0.6, True)])
def test_a_band_is_dead_where_it_misses_most_of_what_the_others_see(missing, dead):
    bad = np.zeros((4, 200), dtype=bool)
    bad[:, 100:] = True
    bad[1, : int(100 * missing)] = True
    assert dead_bands(bad).tolist() == [False, dead, False, False]


def test_soft_edges_do_not_make_a_mask_an_image():
    assert is_mask(np.array([0] * 50 + [255] * 49 + [128]))
    assert not is_mask(np.arange(256))
    assert is_mask(np.array([]))
