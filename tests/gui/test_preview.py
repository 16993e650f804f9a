"""The preview: a part of the scene in seconds, another ratio at once, nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtGui import QColor, QImage
from qgis.PyQt.QtWidgets import QCheckBox, QLabel, QPushButton, QSlider

from rasd_fusion.rasd_qgis.gui import opening, preview, preview_images
from rasd_fusion.rasd_qgis.gui.swipe_view import SwipeView

from .conftest import EAST, NORTH


def message(window):
    return window.findChild(QLabel, "rasdPreviewMessage").text()


def wait_for_picture(qtbot, window, seconds=90):
    window.pictures = None
    qtbot.waitUntil(lambda: window.pictures is not None, timeout=1000 * seconds)


def plain(image):
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return np.frombuffer(bytes(bits), np.uint8).reshape(image.height(), -1, 4)[:, :, :3] / 255.0


@pytest.fixture
def dialog(qtbot, provider, pair):
    coarse, guide = pair
    dialog = opening.fusion_dialog(provider.algorithm("fuse").create(), None)
    qtbot.addWidget(dialog)
    dialog.setParameters({"INPUT_HS": coarse.id(), "INPUT_MS": guide.id(), "TRAINING_STEPS": 2})
    dialog.show()
    return dialog


@pytest.mark.parametrize("model", ["bundled", "scene"])
def test_it_shows_fused_input_and_confidence(qtbot, dialog, engine, photograph, model):
    given = dialog.mainWidget().createProcessingParameters()
    dialog.setParameters({**given, "MODEL": model, "UNCERTAINTY": "kept.tif"})
    qtbot.mouseClick(dialog.findChild(QPushButton, "rasdPreviewButton"), Qt.MouseButton.LeftButton)
    window = dialog._preview
    wait_for_picture(qtbot, window)
    photograph(window, "preview")
    assert abs(int(message(window).split()[0]) - 50) <= 3
    pictures = window.pictures
    fused, before = plain(pictures.fused), plain(pictures.before)
    assert fused.shape == before.shape == (640, 640, 3)
    # The same ground in the same stretch, sharper.
    assert np.corrcoef(fused.ravel(), before.ravel())[0, 1] > 0.7
    steps = [float(np.square(np.diff(image, axis=1)).mean()) for image in (fused, before)]
    assert steps[0] > 2 * steps[1]
    window.findChild(QCheckBox, "rasdPreviewConfidence").click()
    photograph(window, "preview_confidence")

    slider = window.findChild(QSlider, "rasdPreviewRatio")
    slider.setFocus()
    for _ in range(4):
        qtbot.keyClick(slider, Qt.Key.Key_Right)
    wait_for_picture(qtbot, window)
    assert abs(int(message(window).split()[0]) - 70) <= 3
    values = dialog.mainWidget().createProcessingParameters()
    assert values["ROUTING_RATIO"] == pytest.approx(0.7)
    assert values["OUTPUT"] != window._values["OUTPUT"]
    assert window._values["MODEL"] == ("file" if model == "scene" else "bundled")
    assert ("trains longer" in message(window)) == (model == "scene")
    assert window._values["UNCERTAINTY"] is None
    folder = window._folder
    assert folder.exists()
    window.close()
    assert not folder.exists()


def test_what_cannot_be_fused_is_said(qtbot, dialog, engine):
    coarse = dialog.mainWidget().chosen("INPUT_HS")
    dialog.setParameters({"INPUT_HS": coarse.id(), "INPUT_MS": coarse.id()})
    dialog.preview()
    qtbot.waitUntil(lambda: "both the hyperspectral" in message(dialog._preview), timeout=60_000)


def test_without_an_engine_it_says_so(qtbot, dialog, no_engine):
    dialog.preview()
    assert "is not set up" in message(dialog._preview)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (None, (EAST, NORTH - 960, EAST + 960, NORTH)),
        ((EAST + 100, NORTH - 300, EAST + 400, NORTH - 200), None),
        (
            (EAST + 900, NORTH - 100, EAST + 2000, NORTH + 500),
            (EAST + 900, NORTH - 100, EAST + 960, NORTH),
        ),
        ((0, 0, 10, 10), (EAST, NORTH - 960, EAST + 960, NORTH)),
    ],
)
def test_the_extent_is_what_the_map_shows_of_both(pair, shown, expected):
    coarse, guide = pair
    box = QgsRectangle(*shown) if shown else None
    found = preview_images.preview_extent(guide, coarse, box, guide.crs())
    edges = (found.xMinimum(), found.yMinimum(), found.xMaximum(), found.yMaximum())
    assert edges == pytest.approx(expected or shown)


def test_the_extent_is_no_larger_than_a_preview_may_be(pair, monkeypatch):
    coarse, guide = pair
    monkeypatch.setattr(preview_images, "MOST_SIDE", 32)
    found = preview_images.preview_extent(guide, coarse, None, QgsCoordinateReferenceSystem())
    assert (found.width(), found.height()) == pytest.approx((320, 320))
    assert found.center().x() == pytest.approx(EAST + 480)


def test_the_line_is_swiped_by_mouse_and_keys(qtbot):
    view = SwipeView()
    qtbot.addWidget(view)
    view.resize(400, 400)
    view.show()
    left, right = (QImage(64, 64, QImage.Format.Format_RGB32) for _ in range(2))
    left.fill(QColor("red"))
    right.fill(QColor("blue"))
    view.show_images(left, right, ("", ""))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 200))
    assert view.position == pytest.approx(0.25)
    image = view.grab().toImage()
    colours = [QColor(image.pixel(x, 200)).name() for x in (50, 150)]
    assert colours == ["#ff0000", "#0000ff"]
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.position == pytest.approx(0.3)


def test_a_preview_is_short(dialog):
    assert preview.TRAINING_MINUTES <= 0.2
