"""Hostile inputs: what a stranger's file or a broken caller could hand to the engine.

Each target spoils a good input at random and runs the product's own code on it. What it must find
is a right result or a sentence; anything else, an error nobody foresaw among them, is a finding.
`tools/fuzz.py` runs them for minutes, tests/hostile for seconds.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine

from ..models import RASDConfig, RASDFuNet
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
from ..rasd_qgis.engine.general.network import GeneralNetwork
from ..rasd_qgis.engine.general.told import ANSWER, CHANNELS
from ..rasd_qgis.engine.model.card import ANY, Card, Model, read_model, write_model
from ..rasd_qgis.engine.pipeline import fuse
from ..rasd_qgis.engine.rasters.align import align
from ..rasd_qgis.engine.rasters.read import Raster
from ..rasd_qgis.engine.scene.tile import Place, Span, Tile, read_tile
from ..rasd_qgis.engine.service.lifeline import LifeLine
from ..rasd_qgis.engine.service.report import Reporter
from ..rasd_qgis.engine.service.serve import Stay, serve
from .rasd import training_kept
from .spoil import Stored, spoil_bytes, spoil_tree, spoil_words

RUN = "0123456789abcdef"
SIDE, RATIO, BANDS, GUIDE = 24, 4, 5, 2
# A sentence is read by a person, and a path in it may be long.
LONGEST_SENTENCE = 2_000


class Finding(AssertionError):
    """A property that did not hold."""


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
        with training_kept():
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

    def tile(self, sigma: float) -> Tile:
        """The pair's ground as one tile."""
        sources = RasterSource(str(self.hs)), RasterSource(str(self.ms))
        with Raster(sources[0]) as hs, Raster(sources[1]) as ms:
            pair = align(hs, ms, None, Reporter(io.StringIO()))
            span = Span(0, SIDE, 0, 0)
            return read_tile(pair, Place(span, span), sigma, torch.device("cpu"))

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
    """Model files of one scene: the header's tensors, the card, and the bytes themselves."""

    def __init__(self, folder: Path) -> None:
        self._pair = Pair(folder)
        self._goods = [Stored(path) for path in self._good_files(folder)]
        self.last = folder / "spoilt.safetensors"

    def _good_files(self, folder: Path) -> list[Path]:
        return [self._pair.model]

    def attempt(self, rng: random.Random) -> str:
        """Spoil a model file, and fuse with it where it is taken."""
        self.last.write_bytes(rng.choice(self._goods).spoilt(rng))
        try:
            model, card = read_model(str(self.last))
        except ModelFileError as error:
            return check_sentence(error)
        return self._used(model, card)

    def _used(self, model: Model, card: Card) -> str:
        return self._pair.outcome(
            self._pair.hs, self._pair.ms, model="file", model_file=str(self.last)
        )


class GeneralModels(Models):
    """Model files for any pair, as they ship and with the study of a pair, as workers get them."""

    def _good_files(self, folder: Path) -> list[Path]:
        config = RASDConfig(ANSWER, CHANNELS, channels=8, stages=1)
        network = RASDFuNet(config).eval().requires_grad_(False)
        model = GeneralNetwork(network, torch.ones(2))
        card = Card(config.to_dict(), 1, 1, [None], [4.0, 4.0], 0.4, 0, 0, {}, {}, start=ANY)
        plain, fitted = folder / "general.safetensors", folder / "fitted.safetensors"
        write_model(str(plain), RUN, model, card)
        settings = {"model": "file", "model_file": str(plain), "model_output": str(fitted)}
        told = self._pair.answer(self._pair.hs, self._pair.ms, **settings)
        if not isinstance(told, Result):
            raise Finding(f"the good model is refused: {told}")
        return [plain, fitted]

    def _used(self, model: Model, card: Card) -> str:
        """Fuse by a run, which studies the pair anew; with a study, by it, as a worker does."""
        if not isinstance(model, GeneralNetwork) or model.study is None:
            return super()._used(model, card)
        try:
            with torch.inference_mode():
                fused = model.fuse(self._pair.tile(card.psf_sigma), 0.5)
        except RasdError as error:
            return check_sentence(error)
        if not all(bool(part.isfinite().all()) for part in (fused.bands, fused.confidence)):
            raise Finding("pixels that are no numbers")
        return "taken"


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
        path.with_suffix(".hdr").write_bytes(spoil_words(self._header, rng))
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
        path.write_bytes(spoil_words(text, rng) if rng.random() < 0.7 else text.encode())
        return path


TARGETS: dict[str, Callable[[Path], Requests | Models | Rasters]] = {
    "requests": Requests,
    "models": Models,
    "general": GeneralModels,
    "rasters": Rasters,
}
