"""Hostile inputs end in a sentence or in a right result, and reach nothing they should not."""

from __future__ import annotations

import ast
import builtins
import http.server
import json
import os
import random
import resource
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
import rasterio
import torch
from safetensors.torch import load, save

from rasd_fusion.benchmarks.hostile import TARGETS, Pair
from rasd_fusion.rasd_qgis.contract.errors import InputError, ModelFileError, RequestError
from rasd_fusion.rasd_qgis.contract.events import MOST_TEXT, Failure, Result, decode, encode
from rasd_fusion.rasd_qgis.contract.request import (
    MOST_CHARACTERS,
    FuseRequest,
    RasterSource,
    from_json,
    to_json,
)
from rasd_fusion.rasd_qgis.engine.model.card import read_model
from rasd_fusion.rasd_qgis.engine.rasters.formats import _scratch_beside
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster
from rasd_fusion.rasd_qgis.engine_link.child import LINE_BYTES

PRODUCT = ("rasd_qgis", "processing", "models")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Pair:
    return Pair(tmp_path_factory.mktemp("pair"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "inputs"), [("requests", 3000), ("models", 25), ("general", 25), ("rasters", 60)]
)
def test_spoilt_inputs_end_in_a_sentence_or_a_result(tmp_path, name, inputs):
    target = TARGETS[name](tmp_path)
    outcomes = [target.attempt(random.Random(number)) for number in range(inputs)]
    assert set(outcomes) == {"refused", "taken"}


def body(**changes) -> dict:
    source = RasterSource("a.tif")
    request = FuseRequest("0123abcd", source, source, "f.tif")
    return {**json.loads(to_json(request)), **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"routing_ratio": 10**400},
        {"extent": [0, 0, 10**400, 1]},
        {"training_minutes": -(10**400)},
        {"run_id": "x" * 5_000_000},
        {"device": ["a"] * 1_000_000},
        {"output": "a" * 1_000_000},
        {"x" * 2_000_000: 1},
        {"hyperspectral": {"path": "a", "name": "n" * 1_000_000}},
        {"hyperspectral": {"path": "a", "nodata_ranges": [[[0, 10**400]]]}},
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_a_request_of_absurd_sizes_is_refused_in_a_short_sentence(changes):
    with pytest.raises(RequestError) as caught:
        from_json(json.dumps(body(**changes)))
    assert len(str(caught.value)) < 500


def test_an_enormous_line_is_refused_and_takes_no_more_memory_than_a_request(root):
    """Ten times what a request may be, without an end of line, then the end of input."""
    code = "import sys; " + f"sys.stdout.write('x' * {10 * MOST_CHARACTERS} + '\\n'); "
    flood = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    entry = str(root / "rasd_qgis" / "engine" / "__main__.py")
    measured = (
        "import resource, subprocess, sys; "
        "ended = subprocess.run(sys.argv[1:], stdin=0, stdout=1); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)"
    )
    command = [sys.executable, "-c", measured, sys.executable, "-I", "-X", "utf8", entry]
    ended = subprocess.run(command, stdin=flood.stdout, capture_output=True, text=True, timeout=60)
    flood.stdout.close()
    flood.wait()
    *events, peak = ended.stdout.splitlines()
    # The end of its input may end the engine before it has answered; it never takes the line in.
    assert all(decode(line).kind == "request" for line in events), events
    assert int(peak) < 150


def test_no_event_is_longer_than_its_reader_takes_whole():
    line = encode(Failure("input", "\U0001f4a3" * 10**6, "\0" * 10**6, "\n" * 10**6))
    assert len(line) < LINE_BYTES
    assert len(decode(line).message) == MOST_TEXT


def test_a_result_that_json_cannot_hold_is_a_failure_and_no_crash(pair, monkeypatch):
    monkeypatch.setattr("rasd_fusion.benchmarks.hostile.fuse", lambda *_: {"FIGURE": float("nan")})
    told = pair.answer(pair.hs, pair.ms)
    assert isinstance(told, Failure)


@pytest.fixture
def asked():
    """What a web server on this computer was asked for, and its port."""
    found = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found, server.server_port
    server.shutdown()
    server.server_close()


def vrt(source: str, kind: str = "") -> str:
    band = f'<VRTRasterBand dataType="Float32" band="1"{kind}>{source}</VRTRasterBand>'
    place = "<GeoTransform>400000,10,0,5800000,0,-10</GeoTransform>"
    return f'<VRTDataset rasterXSize="20" rasterYSize="20">{place}{band}</VRTDataset>'


def of(name: str) -> str:
    name = f'<SourceFilename relativeToVRT="1">{name}</SourceFilename>'
    return f"<SimpleSource>{name}<SourceBand>1</SourceBand></SimpleSource>"


WMS = (
    "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:PORT/${z}/${x}/${y}</ServerUrl>"
    "</Service><DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1"
    "</LowerRightX><LowerRightY>0</LowerRightY><SizeX>20</SizeX><SizeY>20</SizeY><TileLevel>1"
    "</TileLevel></DataWindow><BandsCount>3</BandsCount></GDAL_WMS>"
)
WCS = "<WCS_GDAL><ServiceURL>http://127.0.0.1:PORT/?</ServiceURL><CoverageName>x</CoverageName></WCS_GDAL>"
PYTHON = (
    "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    "<PixelFunctionCode>\ndef f(*_):\n    open('pwned', 'w')\n</PixelFunctionCode>"
)
FILES = {
    "curl.vrt": vrt(of("/vsicurl/http://127.0.0.1:PORT/a.tif")),
    "http.vrt": vrt(of("http://127.0.0.1:PORT/a.tif")),
    "zip.vrt": vrt(of("/vsizip/{/vsicurl?url=http%3A%2F%2F127.0.0.1:PORT/a.zip}/x.tif")),
    "s3.vrt": vrt(of("/vsis3_streaming/bucket/a.tif")),
    "nested.vrt": vrt(of("curl.vrt")),
    "wms.xml": WMS,
    "wms.vrt": vrt(of("wms.xml")),
    "wcs.xml": WCS,
    "self.vrt": vrt(of("self.vrt")),
    "first.vrt": vrt(of("second.vrt")),
    "second.vrt": vrt(of("first.vrt")),
    "input.vrt": vrt(of("/vsistdin/")),
    "words.vrt": vrt(of("/etc/hostname")),
    "python.vrt": vrt(PYTHON, ' subClass="VRTDerivedRasterBand"'),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_no_raster_asks_the_network_runs_a_program_or_turns_in_circles(
    tmp_path, asked, name, monkeypatch
):
    found, port = asked
    for other, text in FILES.items():
        (tmp_path / other).write_text(text.replace("PORT", str(port)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        Raster(RasterSource(str(tmp_path / name)))
    assert found == []
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/vsizip//vsicurl/127.0.0.1:9/a.zip", "web service"),
        ("/vsigs_streaming/bucket/a.tif", "web service"),
        ("/vsistdin/", "no file"),
        ("/dev/stdin", "no file"),
        (vrt(of("hs.tif")), "no file"),
        ("a\ud800.tif", "cannot be opened"),
        ("a" * 5000, "cannot be opened"),
    ],
    ids=lambda value: value[:20].encode("ascii", "replace").decode(),
)
def test_names_that_are_no_file_are_refused(path, word):
    with pytest.raises(InputError, match=word):
        Raster(RasterSource(path))


def test_more_bands_than_any_sensor_has_are_refused_before_memory_is_taken(tmp_path):
    bands = "".join(
        f'<VRTRasterBand dataType="Float64" band="{band + 1}"/>' for band in range(20_000)
    )
    path = tmp_path / "bands.vrt"
    path.write_text(f'<VRTDataset rasterXSize="4000" rasterYSize="4000">{bands}</VRTDataset>')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="20000 bands"):
        Raster(RasterSource(str(path)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_bands_of_several_dtypes_are_read_as_one_raster(tmp_path, pair):
    text = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}">{of(pair.ms)}</VRTRasterBand>'
        for band, kind in ((1, "UInt16"), (2, "Float32"))
    )
    path = tmp_path / "mixed.vrt"
    path.write_text(f'<VRTDataset rasterXSize="24" rasterYSize="24">{text}</VRTDataset>')
    with Raster(RasterSource(str(path))) as raster, rasterio.open(pair.ms) as given:
        values, valid = raster.look()
        assert valid.all()
        np.testing.assert_array_equal(values, np.stack([given.read(1).ravel()] * 2))


def test_band_names_in_an_older_encoding_do_not_matter(tmp_path):
    path = tmp_path / "a.bsq"
    size = {"count": 2, "height": 3, "width": 3, "dtype": "uint16"}
    with rasterio.open(path, "w", driver="ENVI", crs="EPSG:32633", **size) as dataset:
        dataset.write(np.ones((2, 3, 3), "uint16"))
    words = path.with_suffix(".hdr").read_bytes()
    words = words.replace(b"Band 1", "0.5 µm".encode("latin-1"))
    path.with_suffix(".hdr").write_bytes(words + b"\nwavelength = {500, 600}\n")
    with Raster(RasterSource(str(path))) as raster:
        assert raster.spectral.wavelengths == (500.0, 600.0)


def rewritten(pair: Pair, card=None, scale=None) -> bytes:
    """The good model file with another card, or its last weights multiplied."""
    stored = pair.model.read_bytes()
    header = json.loads(stored[8 : 8 + struct.unpack("<Q", stored[:8])[0]])["__metadata__"]
    tensors = load(stored)
    if scale is not None:
        tensors["network.reconstruct.weight"] = torch.full_like(
            tensors["network.reconstruct.weight"], scale
        )
    if card is not None:
        header["card"] = card(header["card"])
    return save(tensors, header)


@pytest.mark.parametrize(
    "card",
    [
        lambda text: text.replace('"seed": 0', '"seed": NaN'),
        lambda text: json.dumps({**json.loads(text), "figures": {"a": float("inf")}}),
        lambda text: json.dumps({**json.loads(text), "made_by": {"a": "x" * 2_000_000}}),
        lambda text: "[" * 100_000,
        lambda text: '{"__class__": "os.system", "__reduce__": ["rm"]}',
    ],
    ids=["NaN", "infinity", "long", "deep", "pickle-like"],
)
def test_a_card_of_anything_but_plain_figures_is_refused(tmp_path, pair, card):
    path = tmp_path / "m.safetensors"
    path.write_bytes(rewritten(pair, card))
    with pytest.raises(ModelFileError, match="no card"):
        read_model(str(path))


@pytest.mark.parametrize("scale", [3e38, 1e22])
def test_weights_that_lead_beyond_all_numbers_give_a_sentence_and_no_raster(tmp_path, pair, scale):
    path = tmp_path / "m.safetensors"
    path.write_bytes(rewritten(pair, scale=scale))
    settings = {"model": "file", "model_file": str(path), "output": str(tmp_path / "fused.tif")}
    told = pair.answer(pair.hs, pair.ms, **settings)
    assert (told.kind, "beyond all numbers" in told.message) == ("model_file", True)
    assert not list(tmp_path.glob("*fused*"))


@posix
def test_a_pipe_is_no_model_file(tmp_path):
    os.mkfifo(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="no file"):
        read_model(str(tmp_path / "m.safetensors"))


TRICKS = ["../../pwned.tif", "/tmp/pwned.tif", "$(touch pwned)", "file:///pwned", "~/pwned"]


def test_a_card_full_of_paths_makes_the_engine_touch_only_what_was_named(
    tmp_path, pair, monkeypatch
):
    """Every file opened for writing by Python, and every one that appears, is the output's."""

    def tricky(text: str) -> str:
        card = json.loads(text)
        card["made_by"] = {trick: trick for trick in TRICKS}
        card["recipe"] = {"path": TRICKS, "output": TRICKS[0]}
        return json.dumps(card)

    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    path = folder / "m.safetensors"
    path.write_bytes(rewritten(pair, tricky))
    monkeypatch.chdir(folder)
    touched, plain = [], builtins.open

    def watched(file, mode="r", *rest, **more):
        touched.append(str(file))
        return plain(file, mode, *rest, **more)

    monkeypatch.setattr(builtins, "open", watched)
    output = str(folder / "fused.tif")
    told = pair.answer(pair.hs, pair.ms, model="file", model_file=str(path), output=output)
    assert isinstance(told, Result), told
    assert not any("pwned" in name for name in touched)
    assert sorted(found.name for found in tmp_path.rglob("*") if found.is_file()) == [
        "fused.tif",
        "m.safetensors",
    ]


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell(root):
    """By reading the product's sources: no call or import of that kind stands there."""
    calls = {"eval", "exec", "compile", "os.system", "os.popen", "torch.load"}
    modules = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "code"}
    found = []
    for path in (p for part in PRODUCT for p in sorted((root / part).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Call):
                off = (word.arg for word in node.keywords if ast.unparse(word.value) != "False")
                names = [ast.unparse(node.func), *off]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            found += [
                (path.name, name)
                for name in names
                if name in calls | modules | {"shell", "allow_pickle"}
            ]
    assert found == []


@posix
def test_temporary_folders_are_for_their_owner_alone(tmp_path, monkeypatch):
    old = os.umask(0)
    try:
        with _scratch_beside(str(tmp_path / "f.tif"), []) as folder:
            assert os.stat(folder).st_mode & 0o077 == 0
    finally:
        os.umask(old)
