"""Requests come back as they went; what makes no sense is refused with its own sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.contract.errors import RequestError
from rasd_fusion.rasd_qgis.contract.request import (
    PROTOCOL,
    FuseRequest,
    ProbeRequest,
    RasterSource,
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
        (altered(hyperspectral=None), "RasterSource"),
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
