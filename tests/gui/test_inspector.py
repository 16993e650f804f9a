"""The spectral inspector: what it reads is what the files hold, at points and in polygons."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsGeometry, QgsPointXY, QgsRasterLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtGui import QGuiApplication
from qgis.PyQt.QtWidgets import QLabel, QPushButton

from rasd_fusion.rasd_qgis.gui import band_knowledge, inspector, spectra, spectral_plot

from .conftest import EAST, NORTH, WAVES, write_raster


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(band_knowledge, "_known", {})


@pytest.fixture
def open_dock(qtbot, pair, project):
    """A function that opens the dock beside a map of the pair, its layers described."""
    docks = []

    def show(described=True):
        canvas = QgsMapCanvas()
        qtbot.addWidget(canvas)
        canvas.resize(400, 400)
        canvas.setDestinationCrs(pair[0].crs())
        project.setCrs(pair[0].crs())
        canvas.setLayers(pair)
        canvas.setExtent(pair[1].extent())
        canvas.show()
        dock = inspector.InspectorDock(canvas)
        qtbot.addWidget(dock)
        docks.append((dock, canvas))
        dock.resize(560, 640)
        dock.show()
        if described:
            with qtbot.waitSignal(dock._knowledge.learned, timeout=60_000):
                pass
        return dock, canvas

    yield show
    for dock, _ in docks:
        dock.release()


def place(qtbot, dock, geometry):
    dock.add_place(geometry)
    wait(qtbot, dock)


def wait(qtbot, dock):
    wanted = {one.name for one in dock.places}
    qtbot.waitUntil(lambda: {s.place for s in dock.spectra} == wanted, timeout=20_000)


def point(column, row, pixel=10.0):
    return QgsGeometry.fromPointXY(
        QgsPointXY(EAST + (column + 0.5) * pixel, NORTH - (row + 0.5) * pixel)
    )


def test_points_show_what_the_files_hold(qtbot, open_dock, files, engine, photograph):
    dock, _ = open_dock()
    place(qtbot, dock, point(10, 20))
    place(qtbot, dock, point(70, 60))
    photograph(dock, "spectral_inspector")
    legend = [text.get_text() for text in dock.plot._axes.get_legend().get_texts()]
    assert legend == ["guide", "coarse", "1 (point)", "2 (point)"]
    cubes = {path.stem: gdal.Open(str(path)).ReadAsArray() for path in files}
    found = {(s.layer, s.place): s for s in dock.spectra}
    assert len(found) == 4
    first = found["coarse", "1 (point)"]
    np.testing.assert_array_equal(first.values, cubes["coarse"][:, 5, 2])
    np.testing.assert_array_equal(found["guide", "2 (point)"].values, cubes["guide"][:, 60, 70])
    assert first.bands.wavelengths == tuple(map(float, WAVES))
    x, values, _ = first.shown()
    assert (x[0], len(values)) == (WAVES[0], 24)


def test_a_polygon_gives_mean_and_spread(qtbot, open_dock, files, engine, photograph):
    dock, _ = open_dock()
    corners = [(400, -200), (800, -200), (800, -600), (400, -600)]
    ring = [QgsPointXY(EAST + x, NORTH + y) for x, y in corners]
    place(qtbot, dock, QgsGeometry.fromPolygonXY([ring]))
    photograph(dock, "spectral_inspector_polygon")
    fine = gdal.Open(str(files[1])).ReadAsArray()[:, 20:60, 40:80].reshape(4, -1)
    found = {s.layer: s for s in dock.spectra}
    np.testing.assert_allclose(found["guide"].values, fine.mean(1))
    np.testing.assert_allclose(found["guide"].spread, fine.std(1))
    assert (found["guide"].count, found["coarse"].count) == (1600, 100)


def test_bad_bands_are_hidden_and_order_is_by_wavelength():
    bands = spectra.Bands((600.0, 500.0, None, 700.0), (True, True, True, False))
    one = spectra.Spectrum("1", "layer", bands, np.array([6.0, 5.0, 4.0, 7.0]))
    x, values, _ = one.shown()
    np.testing.assert_array_equal(x, [500, 600, 700])
    np.testing.assert_array_equal(values, [5, 6, np.nan])


def test_nodata_is_no_value(qtbot, project, tmp_path):
    values = np.arange(3 * 16, dtype="float32").reshape(3, 4, 4)
    values[:, 0, :] = -9999
    layer = QgsRasterLayer(str(write_raster(tmp_path / "n.tif", values, 10.0, nodata=-9999)), "n")
    provider = layer.dataProvider()
    at = point(1, 0).asPoint()
    assert spectra.read_point(provider, at) is None
    assert spectra.read_point(provider, QgsPointXY(0, 0)) is None
    everything = QgsGeometry.fromRect(layer.extent())
    means, _, count = spectra.read_polygon(provider, everything)
    np.testing.assert_allclose(means, values[:, 1:].reshape(3, -1).mean(1))
    assert count == 12
    little = point(2, 2).buffer(0.5, 4)
    np.testing.assert_array_equal(spectra.read_polygon(provider, little)[0], values[:, 2, 2])


def test_a_layer_whose_nodata_is_nan_leaves_the_others_their_wavelengths(
    qtbot, open_dock, project, tmp_path, engine
):
    values = np.full((3, 24, 24), 0.5, "float32")
    values[:, :2] = np.nan
    path = write_raster(tmp_path / "confidence.tif", values, 40.0, nodata=np.nan)
    project.addMapLayer(QgsRasterLayer(str(path), "confidence"))
    dock, _ = open_dock()
    assert {layer.name() for layer in dock.chosen_layers()} == {"coarse", "guide"}
    place(qtbot, dock, point(10, 20))
    assert all(one.bands.has_wavelengths for one in dock.spectra)


def test_marks_and_tool_go_with_the_dock(qtbot, open_dock, engine):
    dock, _ = open_dock(described=False)
    place(qtbot, dock, point(10, 20))
    button = dock.findChild(QPushButton, "rasdPick_point")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    for shown in (True, False, True):
        dock.setVisible(shown)
        assert [mark.isVisible() for mark in dock._marks._items] == [shown] * 2
        assert not (button.isChecked() and not shown)


def test_it_is_copied_and_saved(qtbot, open_dock, engine, tmp_path):
    dock, _ = open_dock()
    place(qtbot, dock, point(10, 20))
    qtbot.mouseClick(dock.findChild(QPushButton, "rasdCopySpectra"), Qt.MouseButton.LeftButton)
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text()), delimiter="\t"))
    assert len(rows) == 24 + 4
    coarse = [row for row in rows if row["layer"] == "coarse"]
    assert [float(row["wavelength_nm"]) for row in coarse] == list(WAVES)
    assert float(coarse[3]["value"]) == dock.spectra[-1].values[3] or dock.spectra[0].values[3]
    dock.save_csv(str(tmp_path / "s.csv"))
    assert (tmp_path / "s.csv").read_text().splitlines()[0].startswith("place,x,y,layer,band")
    dock.save_png(str(tmp_path / "s.png"))
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    dock.save_csv(str(tmp_path / "none" / "s.csv"))
    assert "cannot be written" in dock._message.text()


def test_clicks_on_the_map_make_places(qtbot, open_dock, engine):
    dock, canvas = open_dock()
    qtbot.mouseClick(dock.findChild(QPushButton, "rasdPick_point"), Qt.MouseButton.LeftButton)
    view = canvas.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    wait(qtbot, dock)
    spot = dock.places[0].geometry.asPoint()
    assert (spot.x(), spot.y()) == pytest.approx((EAST + 480, NORTH - 480), abs=10)
    qtbot.mouseClick(dock.findChild(QPushButton, "rasdPick_polygon"), Qt.MouseButton.LeftButton)
    assert not dock.findChild(QPushButton, "rasdPick_point").isChecked()
    for spot in ((100, 100), (300, 100), (200, 300)):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(*spot))
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=QPoint(200, 300))
    wait(qtbot, dock)
    assert [one.is_point for one in dock.places] == [True, False]
    qtbot.mouseClick(dock.findChild(QPushButton, "rasdClearPlaces"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.spectra == [])


def test_a_point_is_typed_as_well(qtbot, open_dock, engine):
    dock, _ = open_dock()
    dock._entry.setFocus()
    qtbot.keyClicks(dock._entry, "here")
    qtbot.keyClick(dock._entry, Qt.Key.Key_Return)
    assert "two numbers" in dock._message.text()
    dock._entry.clear()
    qtbot.keyClicks(dock._entry, f"{EAST + 105}, {NORTH - 205}")
    qtbot.keyClick(dock._entry, Qt.Key.Key_Return)
    wait(qtbot, dock)
    qtbot.keyClicks(dock._entry, "0, 0")
    qtbot.keyClick(dock._entry, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "No layer has data at 2 (point)" in dock._message.text())


def test_a_layer_is_unticked(qtbot, open_dock, engine):
    dock, _ = open_dock()
    place(qtbot, dock, point(10, 20))
    item = next(dock._list.item(row) for row in (0, 1) if "guide" in dock._list.item(row).text())
    item.setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: {s.layer for s in dock.spectra} == {"coarse"})


def test_without_an_engine_bands_are_numbered_and_that_is_said(qtbot, open_dock, no_engine):
    dock, _ = open_dock(described=False)
    assert "by band number" in dock._message.text()
    place(qtbot, dock, point(10, 20))
    x, _, _ = dock.spectra[0].shown()
    assert x[0] == 1.0


def test_without_matplotlib_a_sentence_says_so(qtbot, open_dock, engine, monkeypatch, photograph):
    monkeypatch.setattr(spectral_plot, "matplotlib_parts", lambda: None)
    dock, _ = open_dock()
    assert "matplotlib" in dock.findChild(QLabel, "rasdNoMatplotlib").text()
    place(qtbot, dock, point(10, 20))
    photograph(dock, "spectral_inspector_plain")
    assert "coarse" in dock.as_text()
    assert not dock.findChild(QPushButton, "rasdSavePng").isEnabled()
