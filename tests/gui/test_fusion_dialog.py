"""The fusion dialog: it fills in rasd:fuse, tells what the layers are, and runs it."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QAbstractButton, QComboBox, QLabel, QPushButton, QSlider, QWidget

from rasd_fusion.processing import base
from rasd_fusion.rasd_qgis.gui import opening
from rasd_fusion.rasd_qgis.gui.preflight import Level

from .conftest import EAST, NORTH, WAVES, ground, write_raster


@pytest.fixture
def open_dialog(qtbot, provider):
    """A function that opens the dialog with parameters, as Processing does."""

    def show(**parameters):
        dialog = opening.fusion_dialog(provider.algorithm("fuse").create(), None)
        qtbot.addWidget(dialog)
        dialog.setParameters(parameters)
        dialog.resize(1150, 900)
        dialog.show()
        return dialog

    return show


def checked(qtbot, dialog, seconds=60):
    """The checks by title, once the layers were looked at."""
    panel = dialog.mainWidget()
    with qtbot.waitSignal(panel.inspection.answered, timeout=1000 * seconds):
        pass
    return {check.title: check for check in panel.preflight.checks}


def values_of(dialog):
    return dialog.mainWidget().createProcessingParameters()


def press_fix(qtbot, dialog, kind):
    def shown():
        found = dialog.findChildren(QPushButton, f"rasdFix_{kind}")
        return [button for button in found if button.isVisible()]

    qtbot.waitUntil(lambda: bool(shown()))
    qtbot.mouseClick(shown()[0], Qt.MouseButton.LeftButton)


def test_a_good_pair_is_green_and_told_in_words(qtbot, open_dialog, pair, engine, photograph):
    dialog = open_dialog()
    checks = checked(qtbot, dialog)
    photograph(dialog, "fusion_dialog")
    assert [c for c in checks.values() if c.level is not Level.GOOD] == []
    facts = dialog.findChild(QLabel, "rasdFacts_INPUT_HS").text()
    assert facts == "24 bands · pixel 40 m · 24 × 24 pixels · EPSG:32632 · 450–2175 nm"


def test_a_poor_pair_is_told_before_the_run(
    qtbot, open_dialog, project, tmp_path, engine, photograph
):
    fine = ground(144, seed=3)
    moved = np.roll(fine, (5, -6), (1, 2))[:, 24:120, 24:120]
    coarse = moved.reshape(len(fine), 24, 4, 24, 4).mean((2, 4))
    coarse[5] = np.random.default_rng(0).uniform(0, 5000, coarse[5].shape)
    hs = write_raster(tmp_path / "hs.tif", coarse.astype("float32"), 40.0, WAVES)
    guide = fine[[1, 3, 5], 24:120, 24:120] / 10_000
    guide[:, :, :20] = 0
    waves = tuple(WAVES[i] for i in (1, 3, 5))
    ms = write_raster(tmp_path / "ms.tif", guide.astype("float32"), 10.0, waves, epsg=None)
    for path in (hs, ms):
        project.addMapLayer(QgsRasterLayer(str(path), path.stem, "gdal"))
    layers = {layer.name(): layer for layer in project.mapLayers().values()}
    dialog = open_dialog(INPUT_HS=layers["hs"].id(), INPUT_MS=layers["ms"].id())
    checks = checked(qtbot, dialog)
    photograph(dialog, "fusion_dialog_poor_pair")
    assert checks["Shift"].level is Level.STOP
    assert checks["Shift"].fix.values == pytest.approx((5.0, -6.0), abs=0.2)
    assert "guide pixels left and" in checks["Shift"].sentence
    assert checks["CRS"].level is Level.CARE and "ms has no CRS" in checks["CRS"].sentence
    assert (
        checks["Nodata"].level is Level.CARE and "21\u00a0% of ms is 0" in checks["Nodata"].sentence
    )
    assert "not flagged: 6." in checks["Bad bands"].sentence
    assert "392.8 to 4194, guide 0 to 0.4677" in checks["Values"].sentence
    assert checks["Spectral range"].level is Level.CARE

    press_fix(qtbot, dialog, "crs")
    assert checked(qtbot, dialog)["CRS"].level is Level.GOOD
    assert layers["ms"].crs() == layers["hs"].crs()
    press_fix(qtbot, dialog, "nodata")
    assert checked(qtbot, dialog)["Nodata"].level is Level.GOOD
    press_fix(qtbot, dialog, "shift")
    checks = checked(qtbot, dialog)
    assert checks["Shift"].level is Level.GOOD, checks["Shift"]
    copy = project.mapLayer(values_of(dialog)["INPUT_HS"])
    assert copy.name() == "hs (moved)"
    assert copy.extent().xMinimum() == pytest.approx(EAST + 60, abs=3)
    assert copy.extent().yMaximum() == pytest.approx(NORTH + 50, abs=3)
    assert gdal.Open(str(hs)).GetGeoTransform()[0] == EAST  # the file stays as it was


def test_layers_the_wrong_way_round_are_swapped_by_a_click(qtbot, open_dialog, pair, engine):
    coarse, guide = pair
    dialog = open_dialog(INPUT_HS=guide.id(), INPUT_MS=coarse.id())
    checks = checked(qtbot, dialog)
    assert checks["Pair"].level is Level.STOP
    press_fix(qtbot, dialog, "swap")
    assert checked(qtbot, dialog)["Overlap"].level is Level.GOOD
    assert values_of(dialog)["INPUT_HS"] == coarse.id()


def test_an_extent_beside_the_pair_is_cleared_by_a_click(qtbot, open_dialog, pair, engine):
    coarse, guide = pair
    dialog = open_dialog(INPUT_HS=coarse.id(), INPUT_MS=guide.id(), EXTENT="0,10,0,10 [EPSG:32632]")
    assert checked(qtbot, dialog)["Pair"].level is Level.STOP
    press_fix(qtbot, dialog, "extent")
    assert checked(qtbot, dialog)["Overlap"].level is Level.GOOD


def test_without_an_engine_the_way_to_it_is_shown(qtbot, open_dialog, pair, no_engine, photograph):
    dialog = open_dialog()
    checks = checked(qtbot, dialog)
    photograph(dialog, "fusion_dialog_no_engine")
    assert list(checks) == ["Engine"]
    with qtbot.waitSignal(dialog.mainWidget().setupAsked):
        press_fix(qtbot, dialog, "engine")


def test_a_layer_of_a_service_is_refused_in_a_sentence(qtbot, open_dialog, pair, engine):
    service = QgsRasterLayer("type=xyz&url=http://localhost/{z}/{x}/{y}.png", "tiles", "wms")
    QgsProject.instance().addMapLayer(service)
    dialog = open_dialog(INPUT_HS=service.id(), INPUT_MS=pair[1].id())
    assert "comes from a service" in checked(qtbot, dialog)["Layers"].sentence


def test_slider_and_number_are_one(qtbot, open_dialog, pair):
    dialog = open_dialog()
    slider = dialog.findChild(QSlider, "rasdRoutingSlider")
    trade = dialog.findChild(QLabel, "rasdRoutingTrade")
    before = trade.text()
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_PageUp)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert values_of(dialog)["ROUTING_RATIO"] == pytest.approx(0.61)
    assert trade.text().startswith("61 % of the points")
    assert trade.text() != before
    dialog.setParameters({"ROUTING_RATIO": 0.25})
    assert slider.value() == 25


def test_file_and_training_are_asked_for_only_where_they_are_used(open_dialog, pair):
    dialog = open_dialog()
    wrappers = dialog.mainWidget().wrappers
    box = wrappers["MODEL"].wrappedWidget()
    assert isinstance(box, QComboBox)
    assert [box.itemText(n)[:18] for n in range(2)] == ["The one that comes", "Train on this pair"]
    training = {"TRAINING_MINUTES", "TRAINING_STEPS", "SEED"}
    for index, asked in enumerate([set(), training, {"MODEL_FILE"}]):
        box.setCurrentIndex(index)
        shown = {"MODEL_FILE", *training}
        assert {n for n in shown if wrappers[n].wrappedWidget().isEnabled()} == asked
    assert values_of(dialog)["MODEL"] == "file"


def test_what_was_chosen_is_remembered(qtbot, open_dialog, pair):
    coarse, guide = pair
    first = open_dialog(
        INPUT_HS=guide.id(), INPUT_MS=coarse.id(), ROUTING_RATIO=0.7, TRAINING_STEPS=12, SEED=5
    )
    first.reject()
    again = values_of(open_dialog())
    assert (again["ROUTING_RATIO"], again["TRAINING_STEPS"], again["SEED"]) == (0.7, 12, 5)
    assert (again["INPUT_HS"], again["INPUT_MS"]) == (guide.id(), coarse.id())
    # A run that is repeated from the history takes nothing from what was remembered.
    repeated = values_of(open_dialog(INPUT_HS=coarse.id(), INPUT_MS=guide.id()))
    assert (repeated["ROUTING_RATIO"], repeated["SEED"]) == (0.5, 0)
    assert not repeated["TRAINING_STEPS"]


def test_settings_of_another_kind_are_no_harm(open_dialog, pair):
    from qgis.core import QgsSettings

    QgsSettings().setValue("rasd_fusion/fuse", "[1, 2")
    assert values_of(open_dialog())["ROUTING_RATIO"] == 0.5


def test_every_box_has_a_name_for_a_screen_reader(open_dialog, pair):
    dialog = open_dialog()
    panel = dialog.mainWidget()
    for name, wrapper in panel.wrappers.items():
        widget = wrapper.wrappedWidget()
        for one in (widget, *widget.findChildren(QWidget)):
            ours = one.window() is dialog and not one.isHidden()
            if ours and one.focusPolicy() & Qt.FocusPolicy.TabFocus:
                text = one.text() if isinstance(one, QAbstractButton) else ""
                assert one.accessibleName() or len(text) > 3, (name, type(one).__name__)
    labels = [label for label in panel.findChildren(QLabel) if label.buddy() is not None]
    assert len(labels) >= 6


def test_the_dialog_opens_wherever_processing_opens_the_algorithm(qtbot, provider, pair):
    import processing

    opening.register()
    try:
        dialog = processing.createAlgorithmDialog("rasd:fuse", {"ROUTING_RATIO": 0.3})
        qtbot.addWidget(dialog)
        assert dialog.objectName() == "rasdFusionDialog"
        assert values_of(dialog)["ROUTING_RATIO"] == 0.3
    finally:
        opening.unregister()
    assert base.windows == {}


def test_it_runs_rasd_fuse_and_the_command_can_be_copied(
    qtbot, open_dialog, pair, engine, tmp_path, photograph
):
    coarse, guide = pair
    output = tmp_path / "fused.tif"
    dialog = open_dialog(
        INPUT_HS=coarse.id(),
        INPUT_MS=guide.id(),
        TRAINING_STEPS=2,
        ROUTING_RATIO=0.4,
        OUTPUT=str(output),
        CONFIDENCE=None,
    )
    command = dialog.algorithm().asPythonCommand(values_of(dialog), QgsProcessingContext())
    assert command.startswith('processing.run("rasd:fuse"') and "'ROUTING_RATIO':0.4" in command
    with qtbot.waitSignal(dialog.algorithmFinished, timeout=180_000) as ended:
        dialog.runButton().click()
    photograph(dialog, "fusion_dialog_ran")
    assert ended.args[0]
    assert gdal.Open(str(output)).RasterXSize == 96
