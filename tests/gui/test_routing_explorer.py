"""The routing explorer: shares are those of the file, and the map shows them."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QLabel, QPushButton

from rasd_fusion.rasd_qgis.gui import routes
from rasd_fusion.rasd_qgis.gui.routing_explorer import RoutingDock

from .conftest import write_raster

NAMES = (routes.FIRST_BAND, "stage 1, full scale", "stage 1, 1/8 scale")


@pytest.fixture
def confidence(tmp_path, project):
    """A layer of three bands, rising from left to right by different powers; a column of nodata."""
    across = np.tile(np.linspace(0, 1, 101), (60, 1))
    values = np.stack([across, across**2, across**0.5]).astype("float32")
    values[:, :, 0] = np.nan
    path = write_raster(tmp_path / "c.tif", values, 10.0, nodata=float("nan"))
    dataset = gdal.Open(str(path), gdal.GA_Update)
    for number, name in enumerate(NAMES, start=1):
        dataset.GetRasterBand(number).SetDescription(name)
    dataset.FlushCache()
    del dataset
    layer = QgsRasterLayer(str(path), "scene confidence", "gdal")
    project.addMapLayer(layer)
    return layer


@pytest.fixture
def dock(qtbot, project):
    canvas = QgsMapCanvas()
    qtbot.addWidget(canvas)
    dock = RoutingDock(canvas)
    qtbot.addWidget(dock)
    dock.resize(420, 480)
    dock.show()
    yield dock
    dock.release()


def drawn(layer):
    """The layer as QGIS draws it, a pixel a pixel."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(layer.width(), layer.height()))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def share_text(dock):
    return dock.findChild(QLabel, "rasdRouteShare").text().replace("\u00a0", " ")


def test_only_confidence_layers_are_offered(qtbot, dock, pair, confidence):
    assert dock.layer is confidence
    assert dock._box.count() == 1
    assert [dock._stage.itemText(i) for i in range(3)] == list(NAMES)


def test_without_a_layer_it_says_what_to_add(dock):
    assert "Add a confidence layer" in share_text(dock)


def test_the_threshold_recolours_the_map(qtbot, confidence, dock, photograph):
    dock.set_threshold(0.695)
    photograph(dock, "routing_explorer")
    assert "31 % low-rank (yellow), 69 % attention (blue)" in share_text(dock)
    image = drawn(confidence)
    colours = [QColor(image.pixel(column, 30)).name() for column in (10, 69, 71, 99)]
    assert colours == [routes.ATTENTION] * 2 + [routes.LOW_RANK] * 2


def test_stages_have_shares_of_their_own(qtbot, confidence, dock):
    dock.set_threshold(0.5)
    assert [bar.value() for bar in dock._bar_of] == pytest.approx([510, 300, 750], abs=10)
    dock._stage.setFocus()
    qtbot.keyClick(dock._stage, Qt.Key.Key_Down)
    assert "30 % low-rank" in share_text(dock)
    qtbot.wait(200)
    assert confidence.renderer().band() == 2
    image = drawn(confidence)
    colours = [QColor(image.pixel(column, 30)).name() for column in (69, 72)]
    assert colours == [routes.ATTENTION, routes.LOW_RANK]


def test_half_of_the_points_is_half(qtbot, confidence, dock):
    dock._stage.setCurrentIndex(1)
    qtbot.mouseClick(dock.findChild(QPushButton, "rasdRouteHalf"), Qt.MouseButton.LeftButton)
    assert "50 % low-rank" in share_text(dock)


def test_the_slider_moves_by_keyboard(qtbot, confidence, dock):
    dock.set_threshold(0.5)
    dock._slider.setFocus()
    qtbot.keyClick(dock._slider, Qt.Key.Key_PageUp)
    assert dock._number.value() == pytest.approx(0.55)


def test_the_usual_colours_come_back(qtbot, confidence, dock):
    dock.set_threshold(0.7)
    qtbot.wait(200)
    before = drawn(confidence).pixelColor(30, 30).name()
    qtbot.mouseClick(dock.findChild(QPushButton, "rasdRouteUsual"), Qt.MouseButton.LeftButton)
    after = drawn(confidence)
    assert before == routes.ATTENTION
    assert after.pixelColor(30, 30) != after.pixelColor(60, 30)


def test_a_removed_layer_is_let_go(qtbot, confidence, dock, project):
    project.removeMapLayer(confidence.id())
    assert dock.layer is None
    dock.set_threshold(0.2)
    qtbot.wait(100)


def test_a_covered_layer_is_put_on_top(qtbot, confidence, dock, pair, project):
    button = dock.findChild(QPushButton, "rasdRouteTop")
    assert project.layerTreeRoot().layerOrder()[-1] is confidence
    qtbot.waitUntil(button.isVisible)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert project.layerTreeRoot().layerOrder()[0] is confidence
    assert dock.layer is confidence and len(project.mapLayers()) == 3
    qtbot.waitUntil(lambda: not button.isVisible())
