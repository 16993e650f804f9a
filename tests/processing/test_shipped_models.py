"""The graphical models that ship: found, opened in the designer, and run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsProcessingModelAlgorithm
from qgis.PyQt.QtCore import QSize

from rasd_fusion.processing import shipped_models
from rasd_fusion.processing.fuse_folder_parameters import matching_pairs
from rasd_fusion.rasd_qgis.contract.errors import InputError

from .conftest import BANDS, RATIO, coarse_view, guide_view, scene, write_raster

NAMES = tuple(shipped_models.TITLES)


@pytest.fixture
def inputs(pair):
    return {"HYPERSPECTRAL": str(pair.hs), "MULTISPECTRAL": str(pair.ms)}


def run(name, values, context, feedback):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"rasd:{name}")
    results, worked = algorithm.run(values, context, feedback)
    assert worked, feedback.errors
    return results


def size_of(path):
    dataset = gdal.Open(str(path))
    return dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize


@pytest.mark.parametrize("name", NAMES)
def test_each_stands_in_the_toolbox_under_a_readable_name(provider, name):
    algorithm = provider.algorithm(name)
    assert isinstance(algorithm, QgsProcessingModelAlgorithm)
    assert algorithm.displayName() == shipped_models.TITLES[name]
    assert algorithm.group() == "Graphical models"
    assert not algorithm.icon().isNull()
    assert algorithm.shortHelpString()


def test_every_file_that_ships_has_a_title(root):
    files = {path.stem for path in (root / "resources" / "models").glob("*.model3")}
    assert files == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_opens_in_the_designer_and_is_sound(
    root, provider, qgis_iface, qtbot, monkeypatch, name
):
    from processing.modeler.ModelerDialog import ModelerDialog

    monkeypatch.setattr(qgis_iface, "iconSize", lambda *_: QSize(16, 16), raising=False)
    dialog = ModelerDialog()
    qtbot.addWidget(dialog)
    dialog.resize(1300, 850)
    dialog.show()
    dialog.loadModel(str(shipped_models.FOLDER / f"{name}.model3"))
    model = dialog.model()
    assert model.name() == name
    assert len(model.childAlgorithms()) >= 2
    sound, faults = model.validate()
    assert sound, faults
    for child in model.childAlgorithms().values():
        assert child.algorithm() is not None
    qtbot.wait(200)
    pictures = root / "build" / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    assert dialog.grab().save(str(pictures / f"model_{name}.png"))


def test_fuse_and_assess(provider, engine, inputs, context, feedback, tmp_path):
    outputs = {
        "fuse:Fused": str(tmp_path / "f.tif"),
        "fuse:Confidence": str(tmp_path / "c.tif"),
        "assess:Report": str(tmp_path / "r.html"),
    }
    run("fuse_and_assess", {**inputs, **outputs}, context, feedback)
    assert size_of(tmp_path / "f.tif") == (BANDS, 96, 96)
    assert "QNR" in (tmp_path / "r.html").read_text("utf-8")


def test_fuse_and_derive(provider, engine, pair, inputs, context, feedback, tmp_path):
    dataset = gdal.Open(str(pair.hs), gdal.GA_Update)
    for band in range(1, BANDS + 1):
        tags = {"wavelength": str(600 + 20 * band), "wavelength_units": "nm"}
        dataset.GetRasterBand(band).SetMetadata(tags)
    del dataset
    outputs = {
        "fuse:Fused": str(tmp_path / "f.tif"),
        "derive:Components": str(tmp_path / "pc.tif"),
        "derive:Index": str(tmp_path / "nd.tif"),
    }
    run("fuse_and_derive", {**inputs, **outputs}, context, feedback)
    assert size_of(tmp_path / "pc.tif") == (5, 96, 96)
    index = gdal.Open(str(tmp_path / "nd.tif")).ReadAsArray()
    fused = gdal.Open(str(tmp_path / "f.tif")).ReadAsArray().astype("float64")
    first, second = fused[9], fused[2]  # 800 and 660 nm
    np.testing.assert_allclose(index, (first - second) / (first + second), atol=1e-5)
    assert (tmp_path / "nd.qml").exists()


def test_simulate_fuse_assess(provider, engine, context, feedback, tmp_path):
    reference = write_raster(tmp_path / "ref.tif", np.rint(scene()).astype("uint16"), 10.0)
    dataset = gdal.Open(str(reference), gdal.GA_Update)
    for band in range(1, BANDS + 1):
        tags = {"wavelength": str(420 + 40 * band), "wavelength_units": "nm"}
        dataset.GetRasterBand(band).SetMetadata(tags)
    del dataset
    values = {
        "REFERENCE": str(reference),
        "RATIO": RATIO,
        "fuse:Fused": str(tmp_path / "f.tif"),
        "assess:Error": str(tmp_path / "e.tif"),
        "assess:Report": str(tmp_path / "r.html"),
    }
    run("simulate_fuse_assess", values, context, feedback)
    assert size_of(tmp_path / "f.tif") == (BANDS, 96, 96)
    assert "PSNR" in (tmp_path / "r.html").read_text("utf-8")


@pytest.fixture
def folders(tmp_path):
    """Two pairs of the same names in two folders, and a raster that has no partner."""
    coarse, fine = tmp_path / "coarse", tmp_path / "fine"
    coarse.mkdir()
    fine.mkdir()
    for number in range(2):
        whole = scene(number)
        write_raster(coarse / f"field{number}.tif", coarse_view(whole), 10.0 * RATIO)
        write_raster(fine / f"field{number}.tif", guide_view(whole), 10.0)
    write_raster(coarse / "alone.tif", coarse_view(scene(5)), 10.0 * RATIO)
    (coarse / "field0.hdr").write_text("beside")
    return coarse, fine


def test_a_folder_of_pairs_is_fused_by_one_training(
    provider, engine, inputs, folders, context, feedback, tmp_path
):
    values = {
        **inputs,
        "MINUTES": 0.01,
        "FOLDER_HS": str(folders[0]),
        "FOLDER_MS": str(folders[1]),
        "fuse:Model": str(tmp_path / "m.safetensors"),
        "fusefolder:Folder": str(tmp_path / "fused"),
    }
    results = run("fuse_folder_of_pairs", values, context, feedback)
    assert (tmp_path / "m.safetensors").exists()
    made = {path.name for path in Path(results["fusefolder:Folder"]).glob("*.tif")}
    assert made == {f"field{n}_{what}.tif" for n in (0, 1) for what in ("fused", "confidence")}
    assert size_of(tmp_path / "fused" / "field1_fused.tif") == (BANDS, 96, 96)


def test_one_bad_pair_does_not_stop_the_others(
    provider, engine, pair, folders, context, feedback, tmp_path
):
    fuse = provider.algorithm("fuse").create()
    model = str(tmp_path / "m.safetensors")
    _, worked = fuse.run(pair.values(MODEL_OUTPUT=model), context, feedback)
    assert worked
    flipped = write_raster(folders[1] / "field0.tif", guide_view(scene(0)), 10.0, origin=(0.0, 0.0))
    assert flipped.exists()
    values = {
        "FOLDER_HS": str(folders[0]),
        "FOLDER_MS": str(folders[1]),
        "MODEL_FILE": model,
        "OUTPUT": str(tmp_path / "fused"),
    }
    results = run("fusefolder", values, context, feedback)
    assert (results["FUSED"], results["FAILED"]) == (1, 1)
    assert any("field0" in error and "do not overlap" in error for error in feedback.errors)


def test_without_a_model_file_the_folder_is_fused_by_the_one_that_ships(
    provider, engine, folders, context, feedback, tmp_path
):
    values = {
        "FOLDER_HS": str(folders[0]),
        "FOLDER_MS": str(folders[1]),
        "OUTPUT": str(tmp_path / "fused"),
    }
    results = run("fusefolder", values, context, feedback)
    assert (results["FUSED"], results["FAILED"]) == (2, 0)
    tags = gdal.Open(str(tmp_path / "fused" / "field0_fused.tif")).GetMetadata()
    assert json.loads(tags["provenance"])["card"]["start"] == "any"


def test_folders_without_a_pair_and_over_inputs_are_refused(
    provider, engine, folders, context, feedback, tmp_path
):
    with pytest.raises(InputError, match="bears the same name"):
        matching_pairs(folders[0], tmp_path)
    values = {"FOLDER_HS": str(folders[0]), "FOLDER_MS": str(folders[1])}
    values |= {"MODEL_FILE": str(tmp_path / "m"), "OUTPUT": str(folders[1])}
    algorithm = provider.algorithm("fusefolder").create()
    _, worked = algorithm.run(values, context, feedback)
    assert not worked
    assert any("never overwritten" in error for error in feedback.errors)


def test_two_rasters_of_one_name_are_refused(folders):
    (folders[0] / "field0.img").write_bytes(b"")
    with pytest.raises(InputError, match="Two rasters"):
        matching_pairs(*folders)


def test_a_model_runs_by_qgis_process(root, engine, pair, tmp_path):
    command = [sys.executable, str(root / "tools" / "qgis_process"), "run", "rasd:fuse_and_assess"]
    command += ["--", f"HYPERSPECTRAL={pair.hs}", f"MULTISPECTRAL={pair.ms}"]
    command += [f"fuse:Fused={tmp_path / 'f.tif'}", f"assess:Report={tmp_path / 'r.html'}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert size_of(tmp_path / "f.tif") == (BANDS, 96, 96)
