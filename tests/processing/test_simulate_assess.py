"""rasd:simulate and rasd:assess inside QGIS, alone and chained with rasd:fuse."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest
from osgeo import gdal
from processing.gui.Postprocessing import handleAlgorithmResults
from qgis.core import (
    QgsApplication,
    QgsExpression,
    QgsProcessingAlgRunnerTask,
    QgsProcessingOutputHtml,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsSingleBandPseudoColorRenderer,
)

from rasd_fusion.processing import assess_parameters, simulate_parameters

from .conftest import BANDS, GUIDE_BANDS, RATIO, coarse_view, read, run, scene, write_raster

FIGURES = ("PSNR", "SAM", "ERGAS", "SSIM", "UIQI", "Q2N", "RMSE", "CORRELATION")
BLIND_FIGURES = ("D_LAMBDA", "D_S", "QNR", "CONSISTENCY_HS", "CONSISTENCY_MS", "RATIO_USED")


@pytest.fixture
def simulate(provider):
    return provider.algorithm("simulate").create()


@pytest.fixture
def assess(provider):
    return provider.algorithm("assess").create()


def refusal(algorithm, values, context) -> str:
    accepted, message = algorithm.checkParameterValues(values, context)
    assert not accepted
    return message


def test_the_toolbox_knows_both(provider):
    for name, title in (
        ("rasd:simulate", "Simulate a hyperspectral–multispectral pair"),
        ("rasd:assess", "Assess a fused layer"),
    ):
        algorithm = QgsApplication.processingRegistry().algorithmById(name)
        assert algorithm.displayName() == title
        assert not algorithm.icon().pixmap(24, 24).isNull()
        assert len(algorithm.shortHelpString()) > 500
        assert len(algorithm.tags()) > 10
        assert algorithm.shortDescription()


def test_parameters_and_outputs_are_those_promised(simulate, assess):
    flag = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    expert = {
        algorithm.name(): sorted(
            item.name() for item in algorithm.parameterDefinitions() if item.flags() & flag
        )
        for algorithm in (simulate, assess)
    }
    assert expert["simulate"] == ["KERNEL_SIZE", "MTF", "PHASE", "PSF_SIGMA", "SEED"]
    assert expert["assess"] == ["PSF_SIGMA", "RATIO"]
    numbers = [
        output.name()
        for output in assess.outputDefinitions()
        if isinstance(output, QgsProcessingOutputNumber)
    ]
    assert set(numbers) == {*FIGURES, *BLIND_FIGURES, "PEAK_USED", "PIXELS"}
    assert isinstance(assess.outputDefinition("REPORT"), QgsProcessingOutputHtml)
    for algorithm, name, options in (
        (simulate, "RESPONSE", ["sensor", "table", "random"]),
        (simulate, "PHASE", ["centred", "published"]),
        (assess, "PEAK", ["maximum", "band", "value"]),
    ):
        definition = algorithm.parameterDefinition(name)
        assert definition.usesStaticStrings()
        assert definition.options() == options


def test_values_become_the_request_to_simulate(simulate, ground, context):
    values = ground.simulate(
        RATIO=8,
        MTF=0.3,
        KERNEL_SIZE=16,
        PHASE="published",
        RESPONSE="sensor",
        SENSOR="Landsat-9",
        BANDS=" B2, B3 ,",
        SNR_HS=40,
        SEED=7,
        EXTENT="500040,500400,4499600,4499960 [EPSG:32632]",
    )
    request = simulate_parameters.make_request(simulate, values, context)
    assert request.reference.path == str(ground.reference)
    assert (request.coarse_output, request.guide_output) == (
        values["OUTPUT_HS"],
        values["OUTPUT_MS"],
    )
    assert (request.ratio, request.mtf, request.psf_sigma, request.kernel_size) == (
        8,
        0.3,
        None,
        16,
    )
    assert (request.phase, request.response, request.sensor) == ("published", "sensor", "Landsat-9")
    assert request.bands == ("B2", "B3")
    assert (request.snr_coarse, request.snr_guide, request.seed) == (40.0, None, 7)
    assert request.extent == (500040.0, 4499600.0, 500400.0, 4499960.0)
    assert request.provenance["algorithm"] == "rasd:simulate"


REFUSED = {
    "a ratio of 1": ({"RATIO": 1.0}, "RATIO|ratio"),
    "both widths": ({"PSF_SIGMA": 0.4, "MTF": 0.3}, "Both a standard deviation and an MTF"),
    "an odd kernel": ({"KERNEL_SIZE": 7}, "even ratio wants an even kernel"),
    "no table": ({"RESPONSE": "table"}, "no table was given"),
    "no such file": ({"INPUT": "/nowhere.tif"}, "INPUT.*cannot be opened"),
    "no such sensor": ({"SENSOR": "Sputnik"}, "sensor|SENSOR"),
}


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_simulated_gets_a_sentence(
    simulate, ground, context, looks_ready, changes, sentence
):
    assert re.search(sentence, refusal(simulate, ground.simulate(**changes), context))


def test_inputs_and_outputs_are_kept_apart(simulate, assess, ground, context, looks_ready):
    same = ground.simulate(OUTPUT_MS=str(ground.folder / "hs.tif"))
    assert "Two outputs" in refusal(simulate, same, context)
    table = ground.folder / "table.csv"
    table.write_text("nm,a\n400,1\n")
    over = ground.simulate(RESPONSE="table", RESPONSE_FILE=str(table), OUTPUT_HS=str(table))
    assert "one of the inputs" in refusal(simulate, over, context)
    values = ground.assess(ground.reference, ERROR_MAP=str(ground.reference))
    assert "one of the inputs" in refusal(assess, values, context)
    values = ground.assess(ground.reference, REPORT=str(ground.folder / "report.txt"))
    assert "ends in .html" in refusal(assess, values, context)


def test_what_cannot_be_assessed_gets_a_sentence(assess, ground, context, looks_ready):
    path = str(ground.reference)
    assert "nothing to measure" in refusal(assess, {"INPUT": path}, context)
    one = {"INPUT": path, "INPUT_HS": path}
    assert "Only one of the two" in refusal(assess, one, context)
    maps = {"INPUT": path, "INPUT_HS": path, "INPUT_MS": path, "SAM_MAP": "/tmp/map.tif"}
    assert "need a reference" in refusal(assess, maps, context)
    peak = ground.assess(path, PEAK="value")
    assert "none was given" in refusal(assess, peak, context)


def test_maps_made_by_default_are_left_out_without_a_reference(assess, pair, context):
    values = {"INPUT": str(pair.ms), "INPUT_HS": str(pair.hs), "INPUT_MS": str(pair.ms)}
    values |= {"ERROR_MAP": "TEMPORARY_OUTPUT", "SAM_MAP": "TEMPORARY_OUTPUT"}
    request = assess_parameters.make_request(assess, values, context)
    assert request.error_map is request.angle_map is request.report is None


@pytest.mark.usefixtures("engine")
class TestWithTheEngine:
    """Runs of the real engine."""

    def test_a_pair_is_made_and_arrives(self, simulate, ground, context, feedback):
        values = ground.simulate(RANDOM_BANDS=GUIDE_BANDS)
        project = context.project()
        for name in ("OUTPUT_HS", "OUTPUT_MS"):
            values[name] = QgsProcessingOutputLayerDefinition(values[name], project)
        results = run(simulate, values, context, feedback)
        assert handleAlgorithmResults(simulate, context, feedback, False, {})
        (group,) = project.layerTreeRoot().findGroups()
        names = [node.layer().name() for node in group.findLayers()]
        assert names == ["truth multispectral", "truth hyperspectral"]
        assert "rasd:simulate" in group.findLayers()[0].layer().metadata().history()[-1]
        coarse, guide = gdal.Open(results["OUTPUT_HS"]), gdal.Open(results["OUTPUT_MS"])
        assert (coarse.RasterXSize, coarse.RasterCount) == (24, BANDS)
        assert (guide.RasterXSize, guide.RasterCount) == (24 * RATIO, GUIDE_BANDS)
        assert coarse.GetRasterBand(1).DataType == gdal.GDT_UInt16
        assert coarse.GetRasterBand(1).GetNoDataValue() == 65535
        assert results["GUIDE_BANDS"] == GUIDE_BANDS
        assert results["PSF_SIGMA_USED"] == pytest.approx(1 / 2.354820045)
        assert 0.3 < results["MTF_USED"] < 0.5
        assert len(results["GUIDE_BAND_NAMES"].split(",")) == GUIDE_BANDS
        # On smooth ground the PSF's view is close to that of averaging.
        difference = coarse.ReadAsArray().astype(float) - coarse_view(scene())
        assert np.abs(difference).mean() < 0.05 * scene().std()

    def test_figures_maps_and_report_arrive(self, assess, ground, context, feedback):
        fused = read(ground.reference).astype("int32")
        fused[:, :, 40:] += 10
        path = write_raster(ground.folder / "fused.tif", fused.astype("uint16"), 10.0, nodata=65535)
        report = ground.folder / "report.html"
        values = ground.assess(path, RATIO=4, REPORT=str(report))
        project = context.project()
        for name in ("ERROR_MAP", "SAM_MAP"):
            target = str(ground.folder / f"{name}.tif")
            values[name] = QgsProcessingOutputLayerDefinition(target, project)
        results = run(assess, values, context, feedback)
        assert handleAlgorithmResults(assess, context, feedback, False, {})
        share = (96 - 40) / 96
        assert results["RMSE"] == pytest.approx(10 * np.sqrt(share), rel=1e-5)
        peak = float(read(ground.reference).max())
        assert results["PEAK_USED"] == peak
        assert results["PSNR"] == pytest.approx(20 * np.log10(peak / results["RMSE"]), rel=1e-6)
        assert all(np.isfinite(results[name]) for name in FIGURES)
        assert not set(BLIND_FIGURES[:-1]) & set(results)
        by_band = json.loads(results["BY_BAND"])
        assert by_band["RMSE"] == pytest.approx([results["RMSE"]] * BANDS, rel=1e-5)
        text = results["BY_BAND"].replace("'", "''")
        expression = QgsExpression(f"array_max(map_get(from_json('{text}'), 'RMSE'))")
        assert expression.evaluate() == pytest.approx(results["RMSE"], rel=1e-5)
        error = read(ground.folder / "ERROR_MAP.tif")
        np.testing.assert_allclose(error[:, 40:], 10)
        assert (error[:, :40] == 0).all()
        layers = {layer.name(): layer for layer in project.mapLayers().values()}
        assert sorted(layers) == ["fused error", "fused spectral angle"]
        renderer = layers["fused error"].renderer()
        assert isinstance(renderer, QgsSingleBandPseudoColorRenderer)
        assert renderer.classificationMax() == pytest.approx(10)
        assert f"{results['PSNR']:,.5g}" in report.read_text(encoding="utf-8")

    def test_refusals_of_the_engine_leave_nothing(self, assess, ground, context, feedback):
        other = write_raster(ground.folder / "other.tif", coarse_view(scene()), 40.0)
        maps = {"ERROR_MAP": str(ground.folder / "error.tif")}
        _, done = assess.run(ground.assess(other, **maps), context, feedback)
        assert not done
        assert any("are not those of" in error for error in feedback.errors)
        assert sorted(path.name for path in ground.folder.glob("*.tif")) == [
            "other.tif",
            "truth.tif",
        ]

    def test_batch(self, simulate, ground, context, feedback):
        """As the batch panel does it: one algorithm, run row by row."""
        rows = [
            ground.simulate(
                SEED=seed,
                OUTPUT_HS=str(ground.folder / f"hs {seed}.tif"),
                OUTPUT_MS=str(ground.folder / f"ms {seed}.tif"),
            )
            for seed in range(2)
        ]
        for values in rows:
            run(simulate, values, context, feedback)
        first, second = (read(values["OUTPUT_MS"]) for values in rows)
        assert first.shape == second.shape
        assert (first != second).any()

    @pytest.mark.parametrize("name", ["simulate", "assess"])
    def test_cancel_ends_within_two_seconds_and_leaves_nothing(
        self, provider, tmp_path, context, feedback, qtbot, name
    ):
        big = tmp_path / "big.tif"
        write_raster(big, np.tile(np.rint(scene()).astype("uint16"), (1, 17, 17)), 10.0)
        values = {
            "simulate": {"INPUT": str(big), "RESPONSE": "random", "SNR_MS": 40},
            "assess": {"INPUT": str(big), "REFERENCE": str(big)},
        }[name]
        outputs = {"simulate": ("OUTPUT_HS", "OUTPUT_MS"), "assess": ("ERROR_MAP", "SAM_MAP")}
        values |= {output: str(tmp_path / f"{output}.tif") for output in outputs[name]}
        outcome = []
        algorithm = provider.algorithm(name).create()
        task = QgsProcessingAlgRunnerTask(algorithm, values, context, feedback)
        task.executed.connect(lambda done, _: outcome.append(done))
        QgsApplication.taskManager().addTask(task)
        qtbot.waitUntil(lambda: feedback.progress() > 12.0, timeout=120_000)
        start = time.monotonic()
        feedback.cancel()
        qtbot.waitUntil(lambda: bool(outcome), timeout=10_000)
        assert time.monotonic() - start < 2.0
        assert outcome == [False]
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".xml"] == ["big.tif"]
