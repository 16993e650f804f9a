"""Graphical models of these algorithms and QGIS's own, run inside QGIS and by qgis_process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)

from .conftest import BANDS, GUIDE_BANDS, RATIO, read, scene

pytestmark = pytest.mark.usefixtures("engine")


def put_together(name: str, layers: tuple[str, ...], steps: tuple) -> QgsProcessingModelAlgorithm:
    """A model of these raster inputs; steps: (id, algorithm, values, [(output, title)])."""
    model = QgsProcessingModelAlgorithm(name, "tests")
    for layer in layers:
        parameter = QgsProcessingParameterRasterLayer(layer, layer)
        model.addModelParameter(parameter, QgsProcessingModelParameter(layer))
    for child_id, algorithm, values, finals in steps:
        child = QgsProcessingModelChildAlgorithm(algorithm)
        child.setChildId(child_id)
        child.setDescription(child_id)
        for name, value in values.items():
            child.addParameterSources(name, [value])
        outputs = {}
        for output, title in finals:
            final = QgsProcessingModelOutput(title, title)
            final.setChildId(child_id)
            final.setChildOutputName(output)
            outputs[title] = final
        child.setModelOutputs(outputs)
        model.addChildAlgorithm(child)
    model.initAlgorithm()
    return model


def chain() -> QgsProcessingModelAlgorithm:
    """A model: fuse, then statistics of the fused raster and a rounded copy of the confidence."""
    source = QgsProcessingModelChildParameterSource
    steps = (
        (
            "fuse",
            "rasd:fuse",
            {
                "INPUT_HS": source.fromModelParameter("HS"),
                "INPUT_MS": source.fromModelParameter("MS"),
                "TRAINING_STEPS": source.fromStaticValue(2),
                "ROUTING_RATIO": source.fromExpression("0.2 + 0.1"),
            },
            [("CONFIDENCE", "Map")],
        ),
        (
            "translate",
            "gdal:translate",
            {"INPUT": source.fromChildOutput("fuse", "OUTPUT")},
            [("OUTPUT", "Copy")],
        ),
        (
            "statistics",
            "native:rasterlayerstatistics",
            {
                "INPUT": source.fromChildOutput("translate", "OUTPUT"),
                "BAND": source.fromStaticValue(1),
            },
            [],
        ),
    )
    return put_together("chain", ("HS", "MS"), steps)


def round_trip() -> QgsProcessingModelAlgorithm:
    """A model: a pair of a reference, fused, assessed; and a raster that holds the PSNR."""
    source = QgsProcessingModelChildParameterSource
    static, child = source.fromStaticValue, source.fromChildOutput
    reference = source.fromModelParameter("REFERENCE")
    pair = {
        "INPUT_HS": child("simulate", "OUTPUT_HS"),
        "INPUT_MS": child("simulate", "OUTPUT_MS"),
    }
    steps = (
        (
            "simulate",
            "rasd:simulate",
            {
                "INPUT": reference,
                "RATIO": static(RATIO),
                "RESPONSE": static("random"),
                "RANDOM_BANDS": static(GUIDE_BANDS),
            },
            [],
        ),
        ("fuse", "rasd:fuse", {**pair, "TRAINING_STEPS": static(3)}, [("OUTPUT", "Fused")]),
        (
            "assess",
            "rasd:assess",
            {**pair, "INPUT": child("fuse", "OUTPUT"), "REFERENCE": reference},
            [("REPORT", "Report")],
        ),
        (
            "constant",
            "native:createconstantrasterlayer",
            {
                "EXTENT": static("500000,500100,4499900,4500000 [EPSG:32632]"),
                "TARGET_CRS": static("EPSG:32632"),
                "PIXEL_SIZE": static(10),
                "NUMBER": child("assess", "PSNR"),
                "OUTPUT_TYPE": static(5),
            },
            [],
        ),
    )
    return put_together("round trip", ("REFERENCE",), steps)


def test_a_graphical_model_chains_the_result_into_other_algorithms(
    provider, pair, context, feedback
):
    model = chain()
    assert model.childAlgorithm("fuse").algorithm() is not None
    values = {"HS": str(pair.hs), "MS": str(pair.ms)}
    values["fuse:Map"] = "TEMPORARY_OUTPUT"
    values["translate:Copy"] = str(pair.folder / "copy.tif")
    results, done = model.run(values, context, feedback)
    assert done, feedback.errors
    assert gdal.Open(str(pair.folder / "copy.tif")).RasterCount == BANDS
    inner = results["CHILD_RESULTS"]
    assert inner["fuse"]["ROUTING_RATIO_USED"] == pytest.approx(0.3)
    assert inner["statistics"]["MAX"] > inner["statistics"]["MIN"] >= 0
    assert QgsRasterLayer(results["fuse:Map"], "map", "gdal").isValid()


def test_a_model_stored_and_loaded_runs_as_a_user_stored_it(provider, pair, context, feedback):
    path = pair.folder / "chain.model3"
    assert chain().toFile(str(path))
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    model.initAlgorithm()
    values = {"HS": str(pair.hs), "MS": str(pair.ms), "fuse:Map": "TEMPORARY_OUTPUT"}
    values["translate:Copy"] = str(pair.folder / "copy.tif")
    results, done = model.run(values, context, feedback)
    assert done, feedback.errors
    assert Path(results["translate:Copy"]).is_file()


def test_a_graphical_model_simulates_fuses_and_assesses_by_qgis_process(provider, root, ground):
    path = ground.folder / "round.model3"
    assert round_trip().toFile(str(path))
    command = [sys.executable, str(root / "tools" / "qgis_process"), "run", str(path), "--"]
    outputs = {"assess:Report": "report.html", "fuse:Fused": "fused.tif"}
    command += [f"REFERENCE={ground.reference}"]
    command += [f"{name}={ground.folder / file}" for name, file in outputs.items()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    fused = read(ground.folder / "fused.tif").astype(float)
    assert fused.shape == (BANDS, 96, 96)
    error = np.abs(fused - scene()).mean()
    assert error < 0.1 * scene().std()
    words = re.sub(r"<[^>]+>", " ", (ground.folder / "report.html").read_text("utf-8"))
    psnr = float(re.search(r"PSNR\s+([\d.]+) dB", words).group(1))
    peak = float(read(ground.reference).max())
    truth = read(ground.reference).astype(float)
    expected = 10 * np.log10(peak**2 / ((fused - truth) ** 2).mean((1, 2)))
    assert psnr == pytest.approx(expected.mean(), abs=0.01)
    assert "QNR" in words


def test_figures_of_a_model_feed_other_steps(provider, ground, context, feedback):
    model = round_trip()
    values = {"REFERENCE": str(ground.reference)}
    values["fuse:Fused"] = str(ground.folder / "fused.tif")
    values["assess:Report"] = str(ground.folder / "report.html")
    results, done = model.run(values, context, feedback)
    assert done, feedback.errors
    inner = results["CHILD_RESULTS"]
    assert inner["simulate"]["GUIDE_BANDS"] == GUIDE_BANDS
    assert inner["assess"]["RATIO_USED"] == RATIO
    assert inner["assess"]["CONSISTENCY_HS"] < 0.02
    assert inner["constant"]["OUTPUT"]
    constant = read(inner["constant"]["OUTPUT"])
    np.testing.assert_allclose(constant, inner["assess"]["PSNR"], rtol=1e-5)
