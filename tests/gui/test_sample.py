"""The sample scene: small, attributed, loaded without Processing, and fused from one click."""

from __future__ import annotations

import pytest
from qgis.core import QgsProject, QgsRasterLayer

from rasd_fusion.rasd_qgis.contract.errors import OutputError
from rasd_fusion.rasd_qgis.gui import sample


def test_what_ships_is_small_and_says_whose_it_is():
    files = list(sample.SHIPPED.iterdir())
    assert {path.name for path in files} == {
        *("ATTRIBUTION.txt", "hyperspectral.tif", "multispectral.tif")
    }
    assert sum(path.stat().st_size for path in files) <= 2_000_000
    text = sample.attribution()
    assert "10.4231/R7RX991C" in text and "CC BY 3.0" in text and "What was changed" in text


def test_it_joins_the_project_once(project, tmp_path):
    pair = sample.load_sample(project, tmp_path / "of mine")
    layers = [project.mapLayer(pair[name]) for name in ("INPUT_HS", "INPUT_MS")]
    assert [layer.bandCount() for layer in layers] == [200, 10]
    assert all(isinstance(layer, QgsRasterLayer) and layer.isValid() for layer in layers)
    assert "Baumgardner" in layers[0].metadata().rights()[0]
    assert project.crs().authid() == "EPSG:32616"
    group = project.layerTreeRoot().findGroup(sample.GROUP)
    assert len(group.findLayers()) == 2
    assert sample.load_sample(project, tmp_path / "of mine") == pair
    assert len(project.mapLayers()) == 2
    assert not list(sample.SHIPPED.glob("*.aux.xml"))


def test_a_damaged_copy_is_renewed(project, tmp_path):
    sample.load_sample(project, tmp_path)
    project.clear()
    (tmp_path / "hyperspectral.tif").write_bytes(b"half")
    pair = sample.load_sample(project, tmp_path)
    assert project.mapLayer(pair["INPUT_HS"]).isValid()


def test_a_place_that_cannot_be_written_is_said(project, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be copied"):
        sample.load_sample(project, tmp_path / "file" / "sample")


def test_one_click_opens_the_dialog_filled_in(
    qtbot, provider, project, engine, qgis_iface, tmp_path, monkeypatch, photograph
):
    from rasd_fusion.rasd_qgis.gui import desk as room
    from rasd_fusion.rasd_qgis.gui.preflight import Level

    monkeypatch.setattr(sample, "sample_folder", lambda: tmp_path)
    desk = room.Desk(qgis_iface)
    desk.open()
    try:
        dialog = desk.try_sample()
        panel = dialog.mainWidget()
        with qtbot.waitSignal(panel.inspection.answered, timeout=60_000):
            pass
        dialog.resize(1150, 900)
        photograph(dialog, "sample_dialog")
        values = panel.createProcessingParameters()
        names = [QgsProject.instance().mapLayer(values[k]).name() for k in ("INPUT_HS", "INPUT_MS")]
        assert names == ["Indian Pines hyperspectral (80 m)", "Indian Pines multispectral (20 m)"]
        levels = {check.title: check.level for check in panel.preflight.checks}
        assert Level.STOP not in levels.values()
        assert levels["Shift"] is Level.GOOD
    finally:
        desk.close()
    assert not dialog.isVisible()
