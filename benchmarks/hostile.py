"""Hostile inputs: what a stranger's file or a broken caller could hand to the engine.

Each target spoils a good input at random and runs the product's own code on it. What it must find
is a right result or a sentence; anything else, an error nobody foresaw among them, is a finding.
`tools/fuzz.py` runs them for minutes, tests/hostile for seconds.
"""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from safetensors.torch import load, save

from ..rasd_qgis.contract.assess_request import AssessRequest
from ..rasd_qgis.contract.errors import ModelFileError, RasdError, RequestError
from ..rasd_qgis.contract.events import (
    Event,
    Failure,
    GarbledEvent,
    Log,
    Progress,
    Result,
    decode,
    encode,
)
from ..rasd_qgis.contract.request import (
    MOST_CHARACTERS,
    FuseRequest,
    RasterSource,
    Request,
    SimulateRequest,
    from_json,
    to_json,
)
from ..rasd_qgis.contract.train_request import TrainRequest
from ..rasd_qgis.engine.model.card import read_model
from ..rasd_qgis.engine.pipeline import fuse
from ..rasd_qgis.engine.rasters.read import Raster
from ..rasd_qgis.engine.service.lifeline import LifeLine
from ..rasd_qgis.engine.service.report import Reporter
from ..rasd_qgis.engine.service.serve import Stay, serve

RUN = "0123456789abcdef"
SIDE, RATIO, BANDS, GUIDE = 24, 4, 5, 2
# A sentence is read by a person, and a path in it may be long.
LONGEST_SENTENCE = 2_000
NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, -(2**63), 10**300, 1e308, -1e308, 1e-320, 0.5,
    "", "x", "../../etc/passwd", "/dev/zero", "$(touch pwned)", "\ud800", "é" * 300, "a" * 40_000,
    [], {}, [[]], [[[1, 0]]], {"a": {"b": []}}, [None] * 50,
)  # fmt: skip
_NUMBERS = ("0", "-1", "nan", "inf", "1e308", "99999999999", "2147483647", "65536", "4e-320", "")


class Finding(AssertionError):
    """A property that did not hold."""


def spoil_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes with a few of them changed, cut out, doubled, or the end missing."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(spoilt) or 1)
        size = rng.choice((1, 1, 2, 4, 8, 64))
        how = rng.randrange(6)
        if how == 0:
            del spoilt[place:]
        elif how == 1:
            del spoilt[place : place + size]
        elif how == 2:
            spoilt[place:place] = spoilt[place : place + size]
        elif how == 3:
            spoilt[place : place + size] = rng.choice((b"\0", b"\xff", b"\x7f")) * size
        elif spoilt:
            spoilt[place] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def spoil_tree(value: Any, rng: random.Random) -> Any:
    """What JSON holds, with one place in it changed, missing or new."""
    if rng.random() < 0.25 or not isinstance(value, (dict, list)) or not value:
        return rng.choice(NASTY)
    if isinstance(value, list):
        place = rng.randrange(len(value))
        return [spoil_tree(v, rng) if i == place else v for i, v in enumerate(value)]
    name = rng.choice(list(value))
    if rng.random() < 0.1:
        return {k: v for k, v in value.items() if k != name}
    if rng.random() < 0.1:
        return {**value, rng.choice(("x", "task", "__class__", "path")): rng.choice(NASTY)}
    return {k: spoil_tree(v, rng) if k == name else v for k, v in value.items()}


def check_sentence(error: RasdError) -> str:
    """Say "refused"; Finding where the error is no sentence for a person."""
    if not error.message or len(str(error)) > LONGEST_SENTENCE or "Traceback" in str(error):
        raise Finding(f"no sentence: {str(error)[:300]!r}")
    return "refused"


def try_request(line: bytes | str) -> str:
    """Read a line as the engine does: "taken" or "refused"."""
    try:
        request = from_json(line)
    except RequestError as error:
        return check_sentence(error)
    if from_json(to_json(request)) != request:
        raise Finding("a request does not come back as it went")
    return "taken"


def try_event(line: bytes | str) -> str:
    """Read a line as QGIS's side does: "taken" or "refused"."""
    try:
        event = decode(line)
    except GarbledEvent:
        return "refused"
    encode_again(event)
    return "taken"


def encode_again(event: Event) -> None:
    """Write an event that was read; JSON's NaN, which Python reads, is the one thing it refuses."""
    try:
        encode(event)
    except ValueError as error:
        if "JSON compliant" not in str(error):
            raise


class Requests:
    """Lines on the engine's standard input, and on its standard output."""

    def __init__(self, folder: Path) -> None:
        source = RasterSource(
            "hs.tif", nodata_ranges=(((0.0, 1.0),),), ignore_source_nodata=(True,)
        )
        requests: list[Request] = [
            FuseRequest(RUN, source, source, "fused.tif", extent=(0, 0, 1, 1)),
            SimulateRequest(RUN, source, "hs.tif", "ms.tif", bands=("B2",)),
            AssessRequest(RUN, source, source),
            TrainRequest(RUN, "m.safetensors", references=(source,)),
        ]
        events: list[Event] = [Progress("read", 0.5), Log("x"), Result({"A": [1, None]})]
        events.append(Failure("input", "No.", "Do."))
        self._lines: list[tuple[str, Callable[[bytes | str], str]]] = [
            *((to_json(request), try_request) for request in requests),
            *((encode(event), try_event) for event in events),
        ]
        self.last = folder / "line.json"

    def attempt(self, rng: random.Random) -> str:
        """Spoil a line and read it."""
        text, read = rng.choice(self._lines)
        if rng.random() < 0.3:
            return read(spoil_bytes(text.encode(), rng))
        body = json.loads(text)
        for _ in range(rng.choice((1, 1, 2, 3))):
            body = spoil_tree(body, rng)
        line = json.dumps(body)
        return read(line[: MOST_CHARACTERS + 1])


class Pair:
    """A small pair of rasters, spoilt ones beside it, and the engine's answer to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        noise = np.random.default_rng(0)
        place = Affine(10, 0, 400_000, 0, -10, 5_800_000)
        self.hs = self._write(
            "hs.tif", noise.integers(100, 9000, (BANDS, SIDE // RATIO, SIDE // RATIO)), place, RATIO
        )
        self.ms = self._write("ms.tif", noise.integers(100, 9000, (GUIDE, SIDE, SIDE)), place, 1)
        self.model = folder / "model.safetensors"
        told = self.answer(self.hs, self.ms, model_output=str(self.model))
        if not isinstance(told, Result):
            raise Finding(f"the good pair is refused: {told}")

    def _write(self, name: str, values: np.ndarray, place: Affine, scale: float) -> Path:
        path = self.folder / name
        count, height, width = values.shape
        with rasterio.open(
            path, "w", driver="GTiff", dtype="uint16", count=count, height=height, width=width,
            crs="EPSG:32633", transform=place * Affine.scale(scale), nodata=0, compress="deflate",
        ) as dataset:  # fmt: skip
            dataset.write(values.astype("uint16"))
            dataset.update_tags(wavelength="{400,450,500,550,600}")
        return path

    def answer(self, hs: Path, ms: Path, **settings: Any) -> Result | Failure:
        """The last event of a fusion without training, served as a process serves it."""
        usual = {"output": str(self.folder / "fused.tif"), "training_steps": 0, "device": "cpu"}
        sources = RasterSource(str(hs)), RasterSource(str(ms))
        request = FuseRequest(RUN, *sources, **{**usual, "tile_size": 64, **settings})
        said = io.StringIO()
        serve(
            lambda _, reporter: fuse(request, reporter),
            _OneLine(to_json(request)),
            Reporter(said),
            _GO,
        )
        last = decode(said.getvalue().splitlines()[-1])
        if not isinstance(last, (Result, Failure)):
            raise Finding(f"the last event is {last}")
        return last

    def outcome(self, hs: Path, ms: Path, **settings: Any) -> str:
        """Say "refused", or "taken" where there is a result and it lies on the guide's grid."""
        target = self.folder / "fused.tif"
        target.unlink(missing_ok=True)
        told = self.answer(hs, ms, **settings)
        left = [path.name for path in self.folder.iterdir() if ".rasd-" in path.name]
        if left:
            raise Finding(f"left behind: {left}")
        if isinstance(told, Failure):
            if told.kind == "error":
                raise Finding(f"{told.message}\n{told.detail[-1500:]}")
            if target.exists():
                raise Finding("an output stands though the run failed")
            return check_sentence(RasdError(told.message, told.advice))
        with Raster(RasterSource(str(target))) as result, Raster(RasterSource(str(ms))) as guide:
            if result.grid.pixel_size != guide.grid.pixel_size:
                raise Finding("the result does not lie on the guide's grid")
        return "taken"


class _OneLine(LifeLine):
    """A life line that brings one request and stays open."""

    def __init__(self, text: str) -> None:
        self.under_way = None
        self._text: bytes | None = text.encode()

    def next_line(self, seconds: float | None) -> bytes | None:
        """The request, then nothing."""
        text, self._text = self._text, None
        return text


_GO = Stay(0.0, 0.0)


class Models:
    """Model files: the header's tensors, the card, and the bytes themselves."""

    def __init__(self, folder: Path) -> None:
        self._pair = Pair(folder)
        self._stored = self._pair.model.read_bytes()
        size = struct.unpack("<Q", self._stored[:8])[0]
        self._header = json.loads(self._stored[8 : 8 + size])
        self._data = self._stored[8 + size :]
        self._tensors = load(self._stored)
        self.last = folder / "spoilt.safetensors"

    def attempt(self, rng: random.Random) -> str:
        """Spoil a model file, and fuse with it where it is taken."""
        self.last.write_bytes(self._spoilt(rng))
        try:
            read_model(str(self.last))
        except ModelFileError as error:
            return check_sentence(error)
        return self._pair.outcome(
            self._pair.hs, self._pair.ms, model="file", model_file=str(self.last)
        )

    def _spoilt(self, rng: random.Random) -> bytes:
        how = rng.randrange(5)
        if how == 0:
            return spoil_bytes(self._stored, rng)
        if how == 1:
            return self._joined(spoil_tree(self._header, rng))
        if how == 2:
            return spoil_bytes(struct.pack("<Q", rng.getrandbits(64)), rng) + self._stored[8:]
        if how == 3:
            return self._with_values(rng)
        meta = self._header["__metadata__"]
        card = json.dumps(spoil_tree(json.loads(meta["card"]), rng))
        return self._joined({**self._header, "__metadata__": {**meta, "card": card}})

    def _joined(self, header: Any) -> bytes:
        text = json.dumps(header).encode("utf-8", "replace")
        return struct.pack("<Q", len(text)) + text + self._data

    def _with_values(self, rng: random.Random) -> bytes:
        """Finite or other values where the weights were."""
        tensors = {name: value.clone() for name, value in self._tensors.items()}
        for name in rng.sample(list(tensors), rng.choice((1, 3, 20))):
            tensors[name] *= rng.choice((float("nan"), float("inf"), 0.0, -1.0, 1e10, 1e38))
        return save(tensors, self._header["__metadata__"])


class Rasters:
    """GeoTIFFs spoilt in their bytes, ENVI headers and VRTs spoilt in their words."""

    def __init__(self, folder: Path) -> None:
        self._pair, self.folder = Pair(folder), folder
        envi = folder / "hs.bsq"
        with rasterio.open(self._pair.hs) as dataset:
            profile = {**dataset.profile, "driver": "ENVI"}
            for option in ("compress", "tiled", "blockxsize", "blockysize", "interleave"):
                profile.pop(option, None)
            with rasterio.open(envi, "w", **profile) as copy:
                copy.write(dataset.read())
        self._header = envi.with_suffix(".hdr").read_text() + "wavelength = {400,450,500,550,600}\n"
        self._samples = envi.read_bytes()
        self._tiffs = [self._pair.hs.read_bytes(), self._pair.ms.read_bytes()]
        self.last = folder / "spoilt.tif"

    def attempt(self, rng: random.Random) -> str:
        """Spoil one raster of the pair and fuse it with the other."""
        kind = rng.choice((self._tiff, self._tiff, self._envi, self._vrt))
        for path in self.folder.glob("spoilt*"):
            path.unlink()
        side = rng.randrange(2)
        self.last = path = kind(rng, side)
        good = path.read_bytes()
        hs, ms = (path, self._pair.ms) if side == 0 else (self._pair.hs, path)
        outcome = self._pair.outcome(hs, ms)
        if path.read_bytes() != good:
            raise Finding("an input was changed")
        return outcome

    def _tiff(self, rng: random.Random, side: int) -> Path:
        path = self.folder / "spoilt.tif"
        path.write_bytes(spoil_bytes(self._tiffs[side], rng))
        return path

    def _envi(self, rng: random.Random, _: int) -> Path:
        path = self.folder / "spoilt.bsq"
        path.write_bytes(self._samples if rng.random() < 0.7 else spoil_bytes(self._samples, rng))
        path.with_suffix(".hdr").write_bytes(_spoil_words(self._header, rng))
        return path

    def _vrt(self, rng: random.Random, side: int) -> Path:
        path = self.folder / "spoilt.vrt"
        name = rng.choice((
            "hs.tif", "ms.tif", "spoilt.vrt", "/vsistdin/", "/vsicurl/http://127.0.0.1:9/a.tif",
            "http://127.0.0.1:9/a.tif", "/dev/zero", "<VRTDataset/>", "../" * 30 + "etc/passwd",
        ))  # fmt: skip
        size, pixel = (SIDE // RATIO, 10 * RATIO) if side == 0 else (SIDE, 10)
        name = name.replace("<", "&lt;")
        bands = "".join(
            f'<VRTRasterBand dataType="UInt16" band="{band}"><SimpleSource>'
            f'<SourceFilename relativeToVRT="1">{name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
            for band in range(1, (BANDS, GUIDE)[side] + 1)
        )
        text = (
            f'<VRTDataset rasterXSize="{size}" rasterYSize="{size}"><SRS>EPSG:32633</SRS>'
            f"<GeoTransform>400000,{pixel},0,5800000,0,-{pixel}</GeoTransform>{bands}</VRTDataset>"
        )
        path.write_bytes(_spoil_words(text, rng) if rng.random() < 0.7 else text.encode())
        return path


def _spoil_words(text: str, rng: random.Random) -> bytes:
    """A text with one of its numbers replaced, or its bytes spoilt."""
    if rng.random() < 0.4:
        return spoil_bytes(text.encode(), rng)
    words = text.replace("=", " = ").replace('"', ' " ').replace(",", " , ").split(" ")
    places = [i for i, word in enumerate(words) if word.strip().isdigit()]
    if places:
        words[rng.choice(places)] = rng.choice(_NUMBERS)
    return "".join(words if '"' in words else [f"{word} " for word in words]).encode()


TARGETS: dict[str, Callable[[Path], Requests | Models | Rasters]] = {
    "requests": Requests,
    "models": Models,
    "rasters": Rasters,
}
