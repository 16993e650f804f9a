"""A layer as the analyst sees it is what the engine is told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer, QgsRasterRange

from rasd_fusion.processing.layers import local_files, raster_source, source_path
from rasd_fusion.rasd_qgis.contract.errors import InputError

from .conftest import write_raster

pytestmark = pytest.mark.usefixtures("qgis_app")


def layer_of(path, name="scene") -> QgsRasterLayer:
    layer = QgsRasterLayer(str(path), name, "gdal")
    assert layer.isValid()
    return layer


@pytest.fixture
def raster(tmp_path) -> Path:
    values = np.arange(2 * 8 * 8, dtype="uint16").reshape(2, 8, 8)
    return write_raster(tmp_path / "a raster, ü.tif", values, 10.0, nodata=7)


def test_a_plain_layer_is_its_path_and_name_alone(raster):
    source = raster_source(layer_of(raster))
    assert (source.path, source.name) == (str(raster), "scene")
    assert source.crs_wkt is None
    assert source.nodata_ranges == ()
    assert source.ignore_source_nodata == ()


def test_a_relative_path_becomes_absolute(raster, monkeypatch):
    monkeypatch.chdir(raster.parent)
    assert source_path(layer_of(raster.name)) == str(raster)


def test_an_overridden_crs_travels(raster):
    layer = layer_of(raster)
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    wkt = raster_source(layer).crs_wkt
    assert QgsCoordinateReferenceSystem.fromWkt(wkt).authid() == "EPSG:32633"


def test_a_crs_supplied_to_a_file_without_one_travels(tmp_path):
    path = write_raster(tmp_path / "bare.tif", np.ones((1, 4, 4), "uint16"), 10.0, epsg=None)
    layer = layer_of(path)
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32617"))
    assert "17N" in raster_source(layer).crs_wkt


def test_additional_nodata_and_a_switched_off_one_travel_by_band(raster):
    layer = layer_of(raster)
    layer.dataProvider().setUserNoDataValue(2, [QgsRasterRange(3, 5), QgsRasterRange(9, 9)])
    layer.dataProvider().setUseSourceNoDataValue(1, False)
    source = raster_source(layer)
    assert source.nodata_ranges == ((), ((3.0, 5.0), (9.0, 9.0)))
    assert source.ignore_source_nodata == (True, False)


def test_open_and_exclusive_ends_become_finite_inclusive_ones(raster):
    layer = layer_of(raster)
    bounds = QgsRasterRange.BoundsType.Exclusive
    ranges = [QgsRasterRange(float("nan"), 0.0), QgsRasterRange(1.0, 2.0, bounds)]
    layer.dataProvider().setUserNoDataValue(1, ranges)
    (below, between), _ = raster_source(layer).nodata_ranges
    assert below[0] < -1e308
    assert below[1] == 0.0
    assert 1.0 < between[0] < 1.0 + 1e-12
    assert 2.0 - 1e-12 < between[1] < 2.0


def test_a_subdataset_keeps_its_name_and_its_file_is_known(tmp_path):
    file = tmp_path / "two tables.gpkg"
    tile = write_raster(tmp_path / "t.tif", np.full((3, 64, 64), 9, "uint8"), 10.0)
    for table in ("one", "two"):
        options = [f"RASTER_TABLE={table}", "APPEND_SUBDATASET=YES"]
        gdal.Translate(str(file), str(tile), format="GPKG", creationOptions=options)
    layer = layer_of(f"GPKG:{file}:two")
    source = raster_source(layer)
    assert source.path == f"GPKG:{file}:two"
    assert local_files(source.path) == [file]


@pytest.mark.parametrize("form", ['NETCDF:"{}":band', "HDF5:{}://a/b", "/vsizip/{}"])
def test_the_file_inside_a_gdal_name_is_found(tmp_path, form):
    file = tmp_path / "f.nc"
    file.touch()
    assert local_files(form.format(file)) == [file]


def test_open_options_are_left_out(raster):
    layer = layer_of(f"{raster}|option:NUM_THREADS=2")
    assert raster_source(layer).path == str(raster)


def test_a_web_service_is_refused_with_the_way_out():
    uri = "type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png"
    layer = QgsRasterLayer(uri, "map", "wms")
    with pytest.raises(InputError, match=r"“map” comes from a service .*Save it to a file"):
        raster_source(layer)


@pytest.mark.parametrize(
    "path",
    [
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "/vsizip//vsicurl/http://127.0.0.1:9/a.zip/a.tif",
        "/vsis3/bucket/a.tif",
        "WCS:http://127.0.0.1:9/?",
        "http://127.0.0.1:9/a.tif",
    ],
)
def test_a_file_of_the_network_is_refused(path, monkeypatch):
    layer = QgsRasterLayer("nowhere", "remote", "gdal")
    monkeypatch.setattr(layer, "source", lambda: path, raising=False)
    with pytest.raises(InputError, match="web service"):
        raster_source(layer)


def test_a_file_that_describes_a_web_service_is_refused(tmp_path):
    path = tmp_path / "tiles.xml"
    path.write_text(
        '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/${z}/${x}/${y}</ServerUrl>'
        "</Service><DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>9</UpperLeftY><LowerRightX>9"
        "</LowerRightX><LowerRightY>0</LowerRightY><TileLevel>2</TileLevel></DataWindow>"
        "<Projection>EPSG:3857</Projection><BandsCount>3</BandsCount></GDAL_WMS>"
    )
    with pytest.raises(InputError, match="web service"):
        raster_source(layer_of(path))


def test_a_raster_in_memory_is_refused(raster):
    gdal.Translate("/vsimem/memory.tif", str(raster))
    try:
        with pytest.raises(InputError, match="memory"):
            raster_source(layer_of("/vsimem/memory.tif"))
    finally:
        gdal.Unlink("/vsimem/memory.tif")


def test_reading_a_layer_leaves_nothing_beside_it(raster):
    layer = layer_of(raster)
    before = os.listdir(raster.parent)
    raster_source(layer)
    assert os.listdir(raster.parent) == before
