"""rasd:fuse inside QGIS with the real engine: run, batch, model, cancel, back in the project."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import processing  # QGIS's own
import pytest
from osgeo import gdal
from processing.gui.Postprocessing import handleAlgorithmResults
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingAlgRunnerTask,
    QgsProcessingOutputLayerDefinition,
    QgsRasterLayer,
    QgsRasterRange,
    QgsSingleBandPseudoColorRenderer,
)

from rasd_fusion.rasd_qgis.engine_link import child as children

from .conftest import (
    BANDS,
    COARSE,
    RATIO,
    coarse_view,
    guide_view,
    read,
    run,
    scene,
    write_raster,
)

pytestmark = pytest.mark.usefixtures("engine")
SIDE = COARSE * RATIO
NUMBERS = ("ROUTING_RATIO_USED", "LOW_RANK_SHARE", "STEPS", "CONSISTENCY_HS", "CONSISTENCY_MS")


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".rasd-" in path.name]


def load_results(fuse, values, context, feedback):
    """Run as the dialog does: outputs are loaded into the project on completion."""
    for name in ("OUTPUT", "CONFIDENCE"):
        if name in values:
            values[name] = QgsProcessingOutputLayerDefinition(values[name], context.project())
    run(fuse, values, context, feedback)
    assert handleAlgorithmResults(fuse, context, feedback, False, {})


def test_a_run_gives_every_output_it_promises(fuse, pair, context, feedback):
    values = pair.values(
        CONFIDENCE=str(pair.folder / "confidence.tif"),
        UNCERTAINTY=str(pair.folder / "uncertainty.tif"),
        MODEL_OUTPUT=str(pair.folder / "model.safetensors"),
    )
    results = run(fuse, values, context, feedback)
    fused = gdal.Open(values["OUTPUT"])
    guide = gdal.Open(str(pair.ms))
    assert (fused.RasterXSize, fused.RasterYSize, fused.RasterCount) == (SIDE, SIDE, BANDS)
    assert fused.GetGeoTransform() == guide.GetGeoTransform()
    assert fused.GetSpatialRef().IsSame(guide.GetSpatialRef())
    assert fused.GetRasterBand(1).DataType == gdal.GDT_UInt16
    assert fused.GetRasterBand(1).GetNoDataValue() == 65535
    spread = np.abs(read(values["OUTPUT"]).astype(float) - scene())
    assert spread.mean() < 0.1 * scene().std()
    uncertainty = read(values["UNCERTAINTY"])
    assert (uncertainty.dtype, uncertainty.shape) == ("float32", (BANDS, SIDE, SIDE))
    assert 0.0 < uncertainty.min() <= uncertainty.max() < scene().max()
    confidence = read(values["CONFIDENCE"])
    assert confidence.shape[0] > 1
    assert confidence.shape[1:] == (SIDE, SIDE)
    assert confidence.min() >= 0.0
    assert confidence.max() <= 1.0
    np.testing.assert_allclose(confidence[0], confidence[1:].mean(0), atol=1e-5)
    assert Path(values["MODEL_OUTPUT"]).stat().st_size > 0
    for name in NUMBERS:
        assert np.isfinite(results[name]), name
    assert results["ROUTING_RATIO_USED"] == 0.5
    assert results["STEPS"] > 1000
    assert 0.0 <= results["CONSISTENCY_HS"] < 0.05
    assert leftovers(pair.folder) == []


def test_routing_by_content_has_the_ratio_as_the_least_share(fuse, pair, context, feedback):
    model = str(pair.folder / "model.safetensors")
    found = {}
    values = pair.values(ROUTING_MODE="auto", ROUTING_RATIO=0.3, MODEL_OUTPUT=model)
    found["auto"] = run(fuse, values, context, feedback)["LOW_RANK_SHARE"]
    assert "auto" in str(gdal.Open(values["OUTPUT"]).GetMetadata())
    for mode, ratio in (("fixed", 0.3), ("auto", 1.0), ("fixed", 1.0)):
        name = f"{mode}-{ratio:g}"
        values = pair.values(
            MODEL="file", MODEL_FILE=model, OUTPUT=str(pair.folder / f"{name}.tif")
        )
        values |= {"ROUTING_MODE": mode, "ROUTING_RATIO": ratio}
        found[name] = run(fuse, values, context, feedback)["LOW_RANK_SHARE"]
    assert found["fixed-0.3"] < found["auto"] <= found["auto-1"] == found["fixed-1"] == 1.0
    ends = (read(pair.folder / f"{mode}-1.tif") for mode in ("auto", "fixed"))
    np.testing.assert_array_equal(*ends)


def test_styles_lie_beside_and_provenance_inside_the_outputs(fuse, pair, context, feedback):
    values = pair.values(CONFIDENCE=str(pair.folder / "confidence.tif"))
    run(fuse, values, context, feedback)
    assert (pair.folder / "fused.qml").is_file()
    layer = QgsRasterLayer(values["CONFIDENCE"], "c", "gdal")
    assert isinstance(layer.renderer(), QgsSingleBandPseudoColorRenderer)
    del layer
    for path in (values["OUTPUT"], values["CONFIDENCE"]):
        tags = str(gdal.Open(path).GetMetadata())
        assert "rasd:fuse" in tags
        assert "RASD Fusion" in tags


def test_same_seed_and_steps_give_the_same_pixels_and_the_model_runs_again(
    fuse, pair, context, feedback
):
    model = str(pair.folder / "model.safetensors")
    first = pair.values(MODEL="scene", SEED=5, MODEL_OUTPUT=model)
    second = pair.values(MODEL="scene", SEED=5, OUTPUT=str(pair.folder / "second.tif"))
    again = pair.values(MODEL="file", MODEL_FILE=model, OUTPUT=str(pair.folder / "again.tif"))
    ran = [run(fuse, values, context, feedback) for values in (first, second, again)]
    shipped = run(fuse, pair.values(OUTPUT=str(pair.folder / "shipped.tif")), context, feedback)
    # Three steps do not better the bundled model, so that is what the file holds.
    assert [result["STEPS"] for result in ran] == [3, 3, shipped["STEPS"]]
    assert shipped["STEPS"] > 1000
    np.testing.assert_array_equal(read(first["OUTPUT"]), read(second["OUTPUT"]))
    np.testing.assert_allclose(read(first["OUTPUT"]), read(again["OUTPUT"]), atol=1)


def test_the_extent_cuts_the_output(fuse, pair, context, feedback):
    values = pair.values(EXTENT="500100,500600,4499500,4499900 [EPSG:32632]")
    run(fuse, values, context, feedback)
    fused = gdal.Open(values["OUTPUT"])
    assert (fused.RasterXSize, fused.RasterYSize) == (50, 40)
    assert fused.GetGeoTransform()[0] == 500_100.0
    assert fused.GetGeoTransform()[3] == 4_499_900.0


@pytest.mark.parametrize("name", ["a folder, ü/fused.tif", "fused.img", "fused.dat"])
def test_odd_folders_and_other_formats(fuse, pair, context, feedback, name):
    path = pair.folder / name
    path.parent.mkdir(exist_ok=True)
    run(fuse, pair.values(OUTPUT=str(path)), context, feedback)
    assert gdal.Open(str(path)).RasterCount == BANDS


def test_temporary_outputs(provider, pair):
    results = processing.run(
        "rasd:fuse",
        pair.values(OUTPUT="TEMPORARY_OUTPUT", CONFIDENCE="TEMPORARY_OUTPUT"),
    )
    for name in ("OUTPUT", "CONFIDENCE"):
        assert QgsRasterLayer(results[name], name, "gdal").isValid()


def test_layers_arrive_named_grouped_styled_and_with_their_history(fuse, pair, context, feedback):
    values = pair.values(CONFIDENCE=str(pair.folder / "confidence.tif"))
    load_results(fuse, values, context, feedback)
    (group,) = context.project().layerTreeRoot().findGroups()
    assert group.name() == "RASD Fusion: hs"
    layers = [node.layer() for node in group.findLayers()]
    assert [layer.name() for layer in layers] == ["hs fused", "hs confidence"]
    assert len(context.project().mapLayers()) == 2
    fused, confidence = layers
    assert fused.renderer().type() == "multibandcolor"
    assert confidence.renderer().type() == "singlebandpseudocolor"
    for layer in layers:
        assert "rasd:fuse" in layer.metadata().history()[-1]


@pytest.mark.parametrize("kind", ["temporary", "file"])
def test_layers_arrive_from_a_task_as_from_the_dialog(fuse, pair, context, feedback, qtbot, kind):
    """The dialog runs an algorithm in a thread and loads its outputs afterwards."""
    paths = dict.fromkeys(("OUTPUT", "CONFIDENCE"), QgsProcessing.TEMPORARY_OUTPUT)
    if kind == "file":
        paths = {name: str(pair.folder / f"{name}.tif") for name in paths}
    project = context.project()
    outputs = {n: QgsProcessingOutputLayerDefinition(p, project) for n, p in paths.items()}
    outcome = []
    task = QgsProcessingAlgRunnerTask(fuse, pair.values(**outputs), context, feedback)
    task.executed.connect(lambda done, _: outcome.append(done))
    QgsApplication.taskManager().addTask(task)
    qtbot.waitUntil(lambda: bool(outcome), timeout=120_000)
    assert outcome == [True], feedback.errors
    assert handleAlgorithmResults(fuse, context, feedback, False, {})
    (group,) = project.layerTreeRoot().findGroups()
    layers = [node.layer() for node in group.findLayers()]
    assert [layer.name() for layer in layers] == ["hs fused", "hs confidence"]
    assert layers[0].renderer().type() == "multibandcolor"
    assert layers[1].renderer().type() == "singlebandpseudocolor"


def test_an_output_open_as_a_layer_shows_its_new_pixels(fuse, pair, context, feedback):
    path = pair.folder / "fused.tif"
    write_raster(path, np.full((BANDS, SIDE, SIDE), 3, "uint16"), 10.0)
    layer = QgsRasterLayer(str(path), "open", "gdal")
    context.project().addMapLayer(layer)
    identify = layer.dataProvider().block(1, layer.extent(), SIDE, SIDE)
    assert identify.value(5, 5) == 3
    run(fuse, pair.values(), context, feedback)
    block = layer.dataProvider().block(1, layer.extent(), SIDE, SIDE)
    shown = np.array([[block.value(r, c) for c in range(SIDE)] for r in range(SIDE)])
    np.testing.assert_array_equal(shown, read(path)[0])


def test_an_output_already_in_the_project_is_not_added_twice(fuse, pair, context, feedback):
    path = pair.folder / "fused.tif"
    write_raster(path, np.full((BANDS, SIDE, SIDE), 3, "uint16"), 10.0)
    layer = QgsRasterLayer(str(path), "open", "gdal")
    context.project().addMapLayer(layer)
    load_results(fuse, pair.values(), context, feedback)
    assert list(context.project().mapLayers()) == [layer.id()]


def test_crs_and_nodata_set_on_the_layer_count(fuse, pair, context, feedback):
    bare = write_raster(pair.folder / "bare.tif", coarse_view(scene()), 40.0, epsg=None)
    layer = QgsRasterLayer(str(bare), "bare", "gdal")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    hole = read(bare)
    hole[:, 4:8, 4:8] = 60_000
    write_raster(bare, hole, 40.0, epsg=None)
    layer.dataProvider().reloadData()
    for band in range(1, BANDS + 1):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(59_999, 60_001)])
    context.project().addMapLayer(layer)
    values = pair.values(INPUT_HS=layer.id())
    run(fuse, values, context, feedback)
    fused = gdal.Open(values["OUTPUT"])
    assert fused.GetSpatialRef().IsSame(gdal.Open(str(pair.ms)).GetSpatialRef())
    nodata = fused.GetRasterBand(1).GetNoDataValue()
    invalid = fused.GetRasterBand(1).ReadAsArray() == nodata
    assert invalid[20:28, 20:28].all()
    assert not invalid[48:].any()


def test_a_subdataset_is_an_input_like_any_other(fuse, pair, context, feedback):
    guide = guide_view(scene(), 3)
    scaled = write_raster(pair.folder / "g.tif", (guide / 40).astype("uint8"), 10.0)
    file = pair.folder / "guide.gpkg"
    for table in ("one", "two"):
        options = [f"RASTER_TABLE={table}", "APPEND_SUBDATASET=YES", "TILE_FORMAT=PNG"]
        gdal.Translate(str(file), str(scaled), format="GPKG", creationOptions=options)
    run(fuse, pair.values(INPUT_MS=f"GPKG:{file}:two"), context, feedback)
    assert gdal.Open(str(pair.folder / "fused.tif")).RasterCount == BANDS


def test_a_missing_crs_with_agreeing_bounds_is_a_warning(fuse, pair, context, feedback):
    write_raster(pair.hs, coarse_view(scene()), 40.0, epsg=None)
    run(fuse, pair.values(), context, feedback)
    assert any("CRS" in text for text in feedback.warnings)


def test_rgba_is_a_warning_and_its_alpha_a_mask(fuse, pair, context, feedback):
    colours = (guide_view(scene(), 3) / 40).astype("uint8")
    alpha = np.full((1, SIDE, SIDE), 255, "uint8")
    alpha[0, :16, :16] = 0
    write_raster(pair.ms, np.concatenate([colours, alpha]), 10.0)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    dataset.GetRasterBand(4).SetColorInterpretation(gdal.GCI_AlphaBand)
    dataset.FlushCache()
    values = pair.values()
    run(fuse, values, context, feedback)
    assert any("alpha" in text.lower() for text in feedback.warnings)
    fused = gdal.Open(values["OUTPUT"])
    assert (read(values["OUTPUT"])[:, :16, :16] == fused.GetRasterBand(1).GetNoDataValue()).all()


def test_batch(provider, pair, context, feedback):
    """As the batch panel does it: one algorithm, one context a row, in the main thread."""
    fuse = provider.algorithm("fuse").create()
    maps = [pair.folder / f"confidence {row}.tif" for row in range(2)]
    for row, path in enumerate(maps):
        outputs = {"OUTPUT": str(pair.folder / f"row {row}.tif"), "CONFIDENCE": str(path)}
        run(fuse, pair.values(**outputs, ROUTING_RATIO=row / 2), context, feedback)
        assert gdal.Open(outputs["OUTPUT"]).RasterCount == BANDS
    first, second = map(read, maps)
    assert first.shape == second.shape
    assert (first != second).any()


@pytest.mark.parametrize("phase", ["start", "middle"])
def test_cancel_in_the_background_ends_within_two_seconds(
    fuse, pair, context, feedback, qtbot, phase
):
    """As the dialog runs it: a task in a thread of its own."""
    values = pair.values(MODEL="scene", TRAINING_STEPS=1_000_000)
    values["CONFIDENCE"] = str(pair.folder / "confidence.tif")
    outcome = []
    task = QgsProcessingAlgRunnerTask(fuse, values, context, feedback)
    task.executed.connect(lambda done, _: outcome.append(done))
    QgsApplication.taskManager().addTask(task)
    qtbot.waitUntil(lambda: bool(children._living), timeout=20_000)
    if phase == "middle":
        qtbot.waitUntil(lambda: feedback.progress() > 10.0, timeout=120_000)
    start = time.monotonic()
    feedback.cancel()
    qtbot.waitUntil(lambda: bool(outcome), timeout=10_000)
    assert time.monotonic() - start < 2.0
    assert outcome == [False]
    left = {path.name for path in pair.folder.iterdir()} - {"fused.tif.rasd-resume"}
    assert left == {"hs.tif", "ms.tif"}


def test_a_run_leaves_qgis_its_event_loop(fuse, pair, context, feedback, qtbot):
    """In a task the main thread stays free: a timer of 20 ms never waits half a second."""
    from qgis.PyQt.QtCore import QTimer

    beats = []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start(20)
    outcome = []
    task = QgsProcessingAlgRunnerTask(fuse, pair.values(), context, feedback)
    task.executed.connect(lambda done, _: outcome.append(done))
    QgsApplication.taskManager().addTask(task)
    qtbot.waitUntil(lambda: bool(outcome), timeout=120_000)
    timer.stop()
    assert outcome == [True], feedback.errors
    assert np.diff(beats).max() < 0.5


def test_a_real_pair_of_two_sensors(fuse, shared_data, tmp_path, context, feedback):
    """One NEON plot: 1 m spectrometer and 0.1 m camera."""
    folder = shared_data / "pair_neon_mlbs"
    if not folder.is_dir():
        pytest.skip("needs pair_neon_mlbs in ../shared/data, which a plain clone does not have")
    name = sorted(path.name for path in (folder / "HSI").glob("*.tif"))[0]
    output = tmp_path / "fused.tif"
    values = {
        "INPUT_HS": str(folder / "HSI" / name),
        "INPUT_MS": str(folder / "RGB" / name),
        "OUTPUT": str(output),
    }
    results = run(fuse, values, context, feedback)
    fused, coarse = gdal.Open(str(output)), gdal.Open(values["INPUT_HS"])
    assert fused.RasterCount == coarse.RasterCount
    assert (fused.RasterXSize, fused.RasterYSize) == (200, 200)
    assert results["CONSISTENCY_HS"] < 0.02


def test_a_real_pair_whose_spectrometer_file_lacks_its_crs(
    fuse, shared_data, tmp_path, context, feedback
):
    """A part of a NEON site: 426 bands at 1 m without a CRS, a camera at 0.1 m with one."""
    folder = shared_data / "pair_neon_sjer052_nis_rgb"
    if not folder.is_dir():
        pytest.skip(f"needs {folder.name} in ../shared/data, which a plain clone does not have")
    guide = gdal.Open(str(folder / "SJER_052.tif"))
    west, pixel, _, north, _, _ = guide.GetGeoTransform()
    east, south = west + 160 * pixel, north - 120 * pixel
    values = {
        "INPUT_HS": str(folder / "SJER_052_hyperspectral.tif"),
        "INPUT_MS": str(folder / "SJER_052.tif"),
        "EXTENT": f"{west},{east},{south},{north} [EPSG:32611]",
        "OUTPUT": str(tmp_path / "fused.tif"),
    }
    results = run(fuse, values, context, feedback)
    assert any("has no CRS" in text for text in feedback.warnings)
    fused = gdal.Open(values["OUTPUT"])
    assert (fused.RasterXSize, fused.RasterYSize, fused.RasterCount) == (160, 120, 426)
    assert fused.GetSpatialRef().IsSame(guide.GetSpatialRef())
    assert fused.GetRasterBand(1).DataType == gdal.GDT_Int16
    assert results["CONSISTENCY_HS"] < 0.02
