"""Requests come back as they went; what makes no sense is refused with its own sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.contract.errors import RequestError
from rasd_fusion.rasd_qgis.contract.leftovers import remove_leftovers
from rasd_fusion.rasd_qgis.contract.request import (
    PROTOCOL,
    AssessRequest,
    FuseRequest,
    ProbeRequest,
    RasterSource,
    SimulateRequest,
    from_json,
    to_json,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
path = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30)
sources = st.builds(
    RasterSource,
    path=path,
    crs_wkt=st.none() | path,
    nodata_ranges=st.lists(
        st.lists(st.tuples(finite, finite).map(lambda pair: tuple(sorted(pair))), max_size=2).map(
            tuple
        ),
        max_size=3,
    ).map(tuple),
    ignore_source_nodata=st.lists(st.booleans(), max_size=3).map(tuple),
    name=st.text(max_size=20),
)
requests = st.builds(
    FuseRequest,
    run_id=st.text("0123456789abcdef", min_size=8, max_size=16),
    hyperspectral=sources,
    multispectral=sources,
    output=path,
    confidence=st.none() | path,
    model=st.just("file"),
    model_file=path,
    routing_ratio=st.floats(0, 1),
    training_minutes=st.floats(0, 1e6),
    training_steps=st.none() | st.integers(0, 10**6),
    psf_sigma=st.none() | st.floats(0, 10),
    device=st.sampled_from(["auto", "cpu", "cuda", "mps", "xpu"]),
    tile_size=st.integers(32, 4096),
    seed=st.integers(0, 2**40),
    extent=st.none() | st.just((0.0, -1.5, 2.0, 3.0)),
    provenance=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


@given(requests)
def test_round_trip_on_one_line_of_ascii(request):
    line = to_json(request)
    assert line.isascii()
    assert "\n" not in line
    assert from_json(line) == request


def test_a_path_that_is_not_unicode_survives():
    request = fuse(hyperspectral=RasterSource("/data/b\udce4r.tif"))
    assert from_json(to_json(request).encode("utf-8")) == request


def test_the_probe_has_no_more_to_say():
    assert from_json(to_json(ProbeRequest())) == ProbeRequest()


def fuse(**changes) -> FuseRequest:
    usual = {
        "run_id": "0123abcd",
        "hyperspectral": RasterSource("hs.tif"),
        "multispectral": RasterSource("ms.tif"),
        "output": "fused.tif",
    }
    return FuseRequest(**{**usual, **changes})


REFUSED = [
    ({"run_id": "../../etc"}, "run's id"),
    ({"run_id": "abc"}, "run's id"),
    ({"hyperspectral": "hs.tif"}, "raster source"),
    ({"output": ""}, "output"),
    ({"output": "a\0b"}, "output"),
    ({"confidence": 3}, "confidence"),
    ({"model": "magic"}, "model"),
    ({"model": "file"}, "no model file"),
    ({"routing_ratio": 1.5}, "routing ratio"),
    ({"routing_ratio": -0.1}, "routing ratio"),
    ({"routing_ratio": float("nan")}, "routing ratio"),
    ({"routing_ratio": True}, "routing ratio"),
    ({"extent": (1, 0, 0, 1)}, "empty"),
    ({"extent": (0, 0, 1)}, "four numbers"),
    ({"extent": (0, 0, float("inf"), 1)}, "empty"),
    ({"training_minutes": -1}, "training time"),
    ({"training_steps": 1.5}, "training steps"),
    ({"psf_sigma": -1}, "PSF"),
    ({"device": "abacus"}, "device"),
    ({"tile_size": 8}, "tile size"),
    ({"seed": -1}, "seed"),
    ({"provenance": {"a": 1}}, "Provenance"),
]


@pytest.mark.parametrize(("changes", "word"), REFUSED)
def test_nonsense_is_refused_in_its_own_words(changes, word):
    with pytest.raises(RequestError, match=word):
        fuse(**changes)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"path": ""}, "path"),
        ({"path": "a", "nodata_ranges": (((2, 1),),)}, "low first"),
        ({"path": "a", "nodata_ranges": (((0, float("inf")),),)}, "nodata range"),
        ({"path": "a", "nodata_ranges": 5}, "pairs a band"),
        ({"path": "a", "ignore_source_nodata": (1,)}, "true or false"),
    ],
)
def test_a_source_of_nonsense_is_refused(changes, word):
    with pytest.raises(RequestError, match=word):
        RasterSource(**changes)


def altered(**changes) -> str:
    return json.dumps({**json.loads(to_json(fuse())), **changes})


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "JSON object"),
        (altered(protocol=PROTOCOL + 1), "another version"),
        (altered(task="rm -rf"), "task is unknown"),
        (altered(task=["fuse"]), "task is unknown"),
        (altered(surprise=1), "surprise"),
        (altered(hyperspectral={"path": "a", "surprise": 1}), "surprise"),
        (altered(hyperspectral=None), "raster source"),
        (altered(hyperspectral=3), "RasterSource"),
        (json.dumps({"protocol": PROTOCOL, "task": "fuse"}), "missing"),
    ],
)
def test_a_line_that_is_no_request_is_refused(line, word):
    with pytest.raises(RequestError, match=word):
        from_json(line)


@given(st.one_of(st.binary(max_size=100), st.text(max_size=100)))
def test_no_line_gets_past_with_another_error(line):
    with pytest.raises(RequestError):
        from_json(line)


def simulate(**changes) -> SimulateRequest:
    usual = {
        "run_id": "0123abcd",
        "reference": RasterSource("reference.tif"),
        "coarse_output": "hs.tif",
        "guide_output": "ms.tif",
    }
    return SimulateRequest(**{**usual, **changes})


def assess(**changes) -> AssessRequest:
    usual = {
        "run_id": "0123abcd",
        "fused": RasterSource("fused.tif"),
        "reference": RasterSource("reference.tif"),
    }
    return AssessRequest(**{**usual, **changes})


PAIR = {"hyperspectral": RasterSource("hs.tif"), "multispectral": RasterSource("ms.tif")}


@pytest.mark.parametrize(
    "request_made",
    [
        simulate(),
        simulate(ratio=2.5, mtf=0.3, kernel_size=7, phase="published", snr_guide=40.0),
        simulate(response="table", table="response.csv", bands=("B2", "B3"), extent=(0, 0, 1, 1)),
        assess(),
        assess(reference=None, **PAIR),
        assess(**PAIR, peak="value", peak_value=1.0, ratio=4.0, psf_sigma=0.4, report="r.html"),
    ],
)
def test_the_other_tasks_come_back_as_they_went(request_made):
    assert from_json(to_json(request_made)) == request_made


@pytest.mark.parametrize(
    ("make", "changes", "word"),
    [
        (simulate, {"reference": None}, "raster source"),
        (simulate, {"coarse_output": ""}, "coarse_output"),
        (simulate, {"ratio": 1.0}, "ratio"),
        (simulate, {"psf_sigma": 0.4, "mtf": 0.3}, "Both"),
        (simulate, {"mtf": 1.0}, "MTF"),
        (simulate, {"kernel_size": 7}, "even ratio wants an even kernel"),
        (simulate, {"ratio": 3.0, "kernel_size": 6}, "odd ratio wants an odd kernel"),
        (simulate, {"phase": "waning"}, "phase"),
        (simulate, {"sensor": "Sputnik"}, "sensor"),
        (simulate, {"response": "table"}, "no table"),
        (simulate, {"bands": "B2"}, "names"),
        (simulate, {"random_bands": 0}, "random bands"),
        (simulate, {"snr_coarse": -3}, "signal-to-noise"),
        (assess, {"fused": None}, "fused must be a raster source"),
        (assess, {"hyperspectral": RasterSource("hs.tif")}, "Only one of the two"),
        (assess, {"reference": None}, "nothing to measure"),
        (assess, {"reference": None, **PAIR, "error_map": "e.tif"}, "need a reference"),
        (assess, {"peak": "value"}, "none was given"),
        (assess, {"peak_value": 0.0}, "peak value"),
        (assess, {"peak": "summit"}, "peak"),
        (assess, {"ratio": 0.5}, "ratio"),
    ],
)
def test_nonsense_of_the_other_tasks_is_refused(make, changes, word):
    with pytest.raises(RequestError, match=word):
        make(**changes)


def test_what_every_task_leaves_behind_is_removed(tmp_path):
    for request in (
        simulate(coarse_output=str(tmp_path / "a/hs.tif"), guide_output=str(tmp_path / "b/ms.tif")),
        assess(angle_map=str(tmp_path / "a/m.tif"), report=str(tmp_path / "b/r.html")),
    ):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / ".x.rasd-0123abcd.part.tif").touch()
            (tmp_path / folder / ".x.rasd-fedcba98.part.tif").touch()
        remove_leftovers(request)
        kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(".x*"))
        assert kept == [f"{folder}/.x.rasd-fedcba98.part.tif" for folder in ("a", "b")]
