"""What stands in the way of an output, and who shows it already."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsProperty,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QThread

from rasd_fusion.processing import outputs
from rasd_fusion.rasd_qgis.contract.errors import OutputError
from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource

from .conftest import write_raster


@pytest.fixture
def files(tmp_path):
    for name in ("hs.tif", "ms.tif", "model.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def request(folder, **changes) -> FuseRequest:
    usual = {
        "run_id": "0123abcd",
        "hyperspectral": RasterSource(str(folder / "hs.tif")),
        "multispectral": RasterSource(f'NETCDF:"{folder / "ms.tif"}":band'),
        "output": str(folder / "fused.tif"),
        "confidence": str(folder / "confidence.tif"),
    }
    return FuseRequest(**{**usual, **changes})


def test_new_files_are_no_trouble(files):
    outputs.check_outputs(request(files, model_output=str(files / "new.safetensors")))


@pytest.mark.parametrize("field", ["output", "confidence"])
@pytest.mark.parametrize("name", ["hs.tif", "ms.tif", "../{}/hs.tif", "link.tif"])
def test_an_input_is_never_overwritten(files, field, name):
    (files / "link.tif").symlink_to(files / "hs.tif")
    with pytest.raises(OutputError, match="one of the inputs"):
        outputs.check_outputs(request(files, **{field: str(files / name.format(files.name))}))


def test_the_model_file_is_an_input_too(files):
    path = str(files / "model.safetensors")
    with pytest.raises(OutputError, match="one of the inputs"):
        outputs.check_outputs(request(files, model="file", model_file=path, model_output=path))


def test_two_outputs_need_two_files(files):
    with pytest.raises(OutputError, match="Two outputs"):
        outputs.check_outputs(request(files, confidence=str(files / "." / "fused.tif")))


def test_a_model_is_written_as_safetensors(files):
    with pytest.raises(OutputError, match=r"\.safetensors"):
        outputs.check_suffix(str(files / "model.pkl"), ".safetensors", "A model")
    outputs.check_suffix(str(files / "model.SafeTensors"), ".safetensors", "A model")
    outputs.check_suffix(None, ".safetensors", "A model")


def test_the_path_an_output_states():
    definition = QgsProcessingOutputLayerDefinition("/a/b.tif")
    assert outputs.stated_path("/a/b.tif") == "/a/b.tif"
    assert outputs.stated_path(definition) == "/a/b.tif"
    for none in (None, QgsProcessing.TEMPORARY_OUTPUT, QgsProperty.fromValue("x")):
        assert outputs.stated_path(none) == ""
    definition = QgsProcessingOutputLayerDefinition(QgsProcessing.TEMPORARY_OUTPUT)
    assert outputs.stated_path(definition) == ""


def test_layers_that_show_an_output_are_found(qgis_app, tmp_path):
    path = write_raster(tmp_path / "f.tif", np.ones((3, 4, 4), "uint16"), 10.0)
    layer = QgsRasterLayer(str(path), "shown", "gdal")
    QgsProject.instance().addMapLayer(layer)
    try:
        other = str(tmp_path / "other.tif")
        found = outputs.layers_showing(QgsProject.instance(), [str(path), other])
        assert found == {str(path): [layer.id()]}
        assert outputs.layers_showing(None, [str(path)]) == {}
    finally:
        QgsProject.instance().clear()


def test_windows_refuses_an_open_output_and_names_its_layer(qgis_app, tmp_path, monkeypatch):
    path = write_raster(tmp_path / "f.tif", np.ones((3, 4, 4), "uint16"), 10.0)
    layer = QgsRasterLayer(str(path), "shown", "gdal")
    project = QgsProject.instance()
    project.addMapLayer(layer)
    showing = {str(path): [layer.id()]}
    try:
        outputs.refuse_open_files(project, showing if os.name != "nt" else {})
        monkeypatch.setattr(outputs.sys, "platform", "win32")
        outputs.refuse_open_files(project, {})
        with pytest.raises(OutputError, match="“shown”"):
            outputs.refuse_open_files(project, showing)
    finally:
        project.clear()


def test_the_main_thread_is_reached_from_any_other(qgis_app):
    called = []
    main = outputs.MainThread()

    def note():
        called.append(QThread.currentThread() == QCoreApplication.instance().thread())

    main.call(note)
    assert called == [True]
    thread = threading.Thread(target=lambda: main.call(note))
    thread.start()
    thread.join()
    assert called == [True]
    QCoreApplication.processEvents()
    assert called == [True, True]
