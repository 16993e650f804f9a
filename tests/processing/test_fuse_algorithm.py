"""rasd:fuse as the toolbox and the command line see it, up to the start of the engine."""

from __future__ import annotations

import re

import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingException,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsRasterLayer,
)

from rasd_fusion.processing import fuse_parameters
from rasd_fusion.rasd_qgis.engine_link import environment

from .conftest import coarse_view, scene, write_raster

REQUIRED = ["INPUT_HS", "INPUT_MS", "ROUTING_RATIO", "MODEL", "MODEL_FILE", "EXTENT"]
ADVANCED = ["ROUTING_MODE", "TRAINING_MINUTES", "TRAINING_STEPS", "PSF_SIGMA"]
ADVANCED += ["DEVICE", "TILE_SIZE", "SEED", "DASK_SCHEDULER", "DASK_STORAGE"]
OUTPUTS = ["OUTPUT", "CONFIDENCE", "UNCERTAINTY", "MODEL_OUTPUT"]
NUMBERS = ["ROUTING_RATIO_USED", "LOW_RANK_SHARE", "STEPS", "CONSISTENCY_HS", "CONSISTENCY_MS"]


def test_the_toolbox_knows_the_algorithms(provider):
    registry = QgsApplication.processingRegistry()
    assert (provider.id(), provider.name()) == ("rasd", "RASD Fusion")
    for name, title in (
        ("rasd:fuse", "Fuse hyperspectral and multispectral"),
        ("rasd:setupengine", "Set up the engine"),
    ):
        algorithm = registry.algorithmById(name)
        assert algorithm.displayName() == title
        assert not algorithm.icon().isNull()
        assert len(algorithm.shortHelpString()) > 100
        assert algorithm.tags()


def test_parameters_and_outputs_are_those_promised(fuse):
    definitions = {item.name(): item for item in fuse.parameterDefinitions()}
    assert sorted(definitions) == sorted([*REQUIRED, *ADVANCED, *OUTPUTS])
    flag = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    assert sorted(n for n, item in definitions.items() if item.flags() & flag) == sorted(ADVANCED)
    numbers = [
        o.name() for o in fuse.outputDefinitions() if isinstance(o, QgsProcessingOutputNumber)
    ]
    assert numbers == NUMBERS
    assert definitions["CONFIDENCE"].createByDefault()
    assert not definitions["UNCERTAINTY"].createByDefault()
    assert not definitions["MODEL_OUTPUT"].createByDefault()
    ratio = definitions["ROUTING_RATIO"]
    assert (ratio.minimum(), ratio.maximum(), ratio.defaultValue()) == (0.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MODEL", ["bundled", "scene", "file"]),
        ("ROUTING_MODE", ["fixed", "auto"]),
        ("DEVICE", ["auto", "cpu", "cuda", "mps", "xpu"]),
    ],
)
def test_enums_are_static_strings(fuse, name, options):
    definition = fuse.parameterDefinition(name)
    assert definition.usesStaticStrings()
    assert definition.options() == options
    assert definition.defaultValue() == options[0]


def test_values_become_the_request(fuse, pair, context):
    values = pair.values(
        ROUTING_RATIO=0.25,
        ROUTING_MODE="auto",
        EXTENT="500040,500200,4499800,4499960 [EPSG:32632]",
        TRAINING_MINUTES=1.5,
        PSF_SIGMA=0.4,
        DEVICE="cpu",
        TILE_SIZE=64,
        SEED=9,
        DASK_SCHEDULER=" tcp://head:8786",
        DASK_STORAGE="s3://bucket/runs",
        CONFIDENCE=str(pair.folder / "c.tif"),
        UNCERTAINTY=str(pair.folder / "u.tif"),
        MODEL_OUTPUT=str(pair.folder / "m.safetensors"),
    )
    request = fuse_parameters.make_request(fuse, values, context)
    assert (request.hyperspectral.path, request.multispectral.path) == (str(pair.hs), str(pair.ms))
    assert (request.output, request.confidence) == (values["OUTPUT"], values["CONFIDENCE"])
    assert request.uncertainty == values["UNCERTAINTY"]
    assert request.model_output == values["MODEL_OUTPUT"]
    assert request.extent == (500040.0, 4499800.0, 500200.0, 4499960.0)
    assert (request.routing_ratio, request.training_minutes, request.training_steps) == (
        0.25,
        1.5,
        3,
    )
    assert (request.psf_sigma, request.device, request.tile_size, request.seed) == (
        0.4,
        "cpu",
        64,
        9,
    )
    assert request.routing_mode == "auto"
    assert (request.dask_scheduler, request.dask_storage) == ("tcp://head:8786", "s3://bucket/runs")
    assert request.provenance["algorithm"] == "rasd:fuse"


def test_what_is_left_out_has_its_default(fuse, pair, context):
    values = pair.values()
    del values["TRAINING_STEPS"]
    request = fuse_parameters.make_request(fuse, values, context)
    assert request.confidence is None
    assert request.uncertainty is None
    assert request.model_output is None
    assert request.resumable
    values["OUTPUT"] = QgsProcessing.TEMPORARY_OUTPUT
    assert not fuse_parameters.make_request(fuse, values, context).resumable
    assert request.extent is None
    assert request.psf_sigma is None
    assert request.training_steps is None
    assert request.dask_scheduler is None and request.dask_storage is None
    assert (request.model, request.device, request.training_minutes) == ("bundled", "auto", 3.0)


def test_an_extent_in_another_crs_is_given_in_the_guides(fuse, pair, context):
    values = pair.values(EXTENT="9.0005,9.0015,40.6420,40.6430 [EPSG:4326]")
    xmin, ymin, xmax, ymax = fuse_parameters.make_request(fuse, values, context).extent
    assert 500_000 < xmin < xmax < 500_200
    assert 4_499_000 < ymin < ymax < 4_501_000


REFUSED = {
    "a ratio above 1": ({"ROUTING_RATIO": 1.5}, "routing ratio is 1.5.*0 to 1"),
    "a ratio below 0": ({"ROUTING_RATIO": -0.1}, "routing ratio is -0.1"),
    "no such file": ({"INPUT_HS": "/nowhere/hs.tif"}, "INPUT_HS.*cannot be opened"),
    "no model file": ({"MODEL": "file"}, "no model file was given"),
    "an unknown model": ({"MODEL": "magic"}, "MODEL"),
    "an unknown device": ({"DEVICE": "abacus"}, "DEVICE"),
    "an empty extent": ({"EXTENT": "5,5,1,1 [EPSG:32632]"}, "extent"),
    "a tile too small": ({"TILE_SIZE": 4}, "tile size"),
    "a web service": (
        {"INPUT_MS": "type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png"},
        "INPUT_MS.*cannot be opened",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_values_get_a_sentence_before_anything_starts(
    fuse, pair, context, looks_ready, changes, sentence
):
    accepted, message = fuse.checkParameterValues(pair.values(**changes), context)
    assert not accepted
    assert re.search(sentence, message), message
    assert not (pair.folder / "fused.tif").exists()


def test_a_subdataset_by_its_gdal_name_is_accepted(fuse, pair, context, looks_ready):
    file = pair.folder / "guide.nc"
    gdal.Translate(str(file), str(pair.ms), format="netCDF", bandList=[1])
    values = pair.values(INPUT_MS=f'NETCDF:"{file}":Band1')
    assert fuse.checkParameterValues(values, context) == (True, "")
    request = fuse_parameters.make_request(fuse, values, context)
    assert request.multispectral.path == values["INPUT_MS"]
    assert request.multispectral.name == "guide"


def test_an_unreadable_file_is_named(fuse, pair, context, looks_ready):
    bad = pair.folder / "bad.tif"
    bad.write_bytes(b"II*\0garbage")
    accepted, message = fuse.checkParameterValues(pair.values(INPUT_MS=str(bad)), context)
    assert not accepted
    assert str(bad) in message


def test_an_output_that_is_an_input_is_refused(fuse, pair, context, looks_ready):
    accepted, message = fuse.checkParameterValues(pair.values(OUTPUT=str(pair.hs)), context)
    assert not accepted
    assert "one of the inputs" in message


def test_a_service_layer_of_the_project_is_refused(fuse, pair, context, looks_ready):
    layer = QgsRasterLayer("type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png", "map", "wms")
    context.project().addMapLayer(layer)
    accepted, message = fuse.checkParameterValues(pair.values(INPUT_MS=layer.id()), context)
    assert not accepted
    assert "“map” comes from a service" in message


def test_without_the_engine_each_way_in_says_what_to_do(fuse, pair, context, feedback, monkeypatch):
    monkeypatch.setenv(environment.VARIABLE, str(pair.folder / "none"))
    possible, message = fuse.canExecute()
    assert not possible
    assert "rasd:setupengine" in message
    accepted, message = fuse.checkParameterValues(pair.values(), context)
    assert not accepted
    assert "rasd:setupengine" in message
    _, done = fuse.run(pair.values(), context, feedback)
    assert not done
    assert any("rasd:setupengine" in error for error in feedback.errors)


def test_with_the_engine_it_can_be_executed(fuse, looks_ready):
    assert fuse.canExecute() == (True, "")


def test_refusals_of_a_run_are_processing_exceptions(fuse, pair, context, feedback, looks_ready):
    values = pair.values(ROUTING_RATIO=7)
    with pytest.raises(QgsProcessingException, match="routing ratio"):
        fuse.prepareAlgorithm(values, context, feedback)


def test_the_history_says_where_the_result_comes_from(fuse, pair, context):
    request = fuse_parameters.make_request(fuse, pair.values(), context)
    text = fuse.history(request, {"MODEL_HASH": "abc", "DEVICE": "cpu", "ROUTING_RATIO": 0.5})
    for word in (str(pair.hs), str(pair.ms), "abc", "cpu", "rasd:fuse", "QGIS 3"):
        assert word in text


def test_a_layer_overridden_in_the_project_is_what_counts(fuse, pair, context):
    bare = write_raster(pair.folder / "bare.tif", coarse_view(scene()), 40.0, epsg=None)
    layer = QgsRasterLayer(str(bare), "bare", "gdal")
    layer.setCrs(QgsRasterLayer(str(pair.ms), "ms", "gdal").crs())
    context.project().addMapLayer(layer)
    request = fuse_parameters.make_request(fuse, pair.values(INPUT_HS=layer.id()), context)
    assert "32632" in request.hyperspectral.crs_wkt
    assert request.hyperspectral.name == "bare"
