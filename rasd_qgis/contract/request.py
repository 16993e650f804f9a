"""Requests: what the QGIS process asks of the engine, one JSON object on one line.

A request is checked when it is made, so a request that exists is a request that makes sense on
its own; whether the rasters it names can be fused is the engine's to find out.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Union

from .errors import RequestError

PROTOCOL = 1
MODELS = ("scene", "file")
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
LEAST_TILE, GREATEST_TILE = 32, 65536

Ranges = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class RasterSource:
    """A raster as QGIS shows it: the file, and what the analyst overrode on the layer.

    path: what GDAL opens, a file or a subdataset's name.
    crs_wkt: replaces or supplies the CRS; None keeps the file's own.
    nodata_ranges: per band, further nodata ranges (low, high), both inclusive; () for none.
    ignore_source_nodata: per band, True where the file's nodata is switched off; () for nowhere.
    name: the layer's name, for sentences.
    """

    path: str
    crs_wkt: str | None = None
    nodata_ranges: Ranges = ()
    ignore_source_nodata: tuple[bool, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        _text("path", self.path)
        _optional_text("crs_wkt", self.crs_wkt)
        if not isinstance(self.name, str):
            raise RequestError(f"A layer's name must be text, not {self.name!r}.")
        object.__setattr__(self, "nodata_ranges", _ranges(self.nodata_ranges))
        object.__setattr__(self, "ignore_source_nodata", _flags(self.ignore_source_nodata))


@dataclass(frozen=True)
class FuseRequest:
    """Fuse one hyperspectral raster with one multispectral raster.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    output, confidence, model_output: final paths; None leaves that output out.
    model: "scene" trains on this pair, "file" uses `model_file`.
    extent: (xmin, ymin, xmax, ymax) in the multispectral layer's CRS; None takes all.
    routing_ratio: share of points routed to the low-rank branch, 0…1.
    training_minutes: the budget; training_steps, where given, replaces it.
    psf_sigma: standard deviation of the PSF in coarse pixels; None derives it from the ratio.
    tile_size: in fine pixels.
    provenance: who asked (plugin and QGIS versions …), kept in the outputs' tags.
    """

    task: ClassVar[str] = "fuse"

    run_id: str
    hyperspectral: RasterSource
    multispectral: RasterSource
    output: str
    confidence: str | None = None
    model: str = "scene"
    model_file: str | None = None
    model_output: str | None = None
    routing_ratio: float = 0.5
    extent: tuple[float, float, float, float] | None = None
    training_minutes: float = 3.0
    training_steps: int | None = None
    psf_sigma: float | None = None
    device: str = "auto"
    tile_size: int = 512
    seed: int = 0
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _run_id(self.run_id)
        for name in ("hyperspectral", "multispectral"):
            if not isinstance(getattr(self, name), RasterSource):
                raise RequestError(f"The request's {name} must be a raster source.")
        _text("output", self.output)
        for name in ("confidence", "model_file", "model_output"):
            _optional_text(name, getattr(self, name))
        self._check_settings()
        object.__setattr__(self, "extent", _extent(self.extent))
        object.__setattr__(self, "provenance", _provenance(self.provenance))

    def _check_settings(self) -> None:
        """Raise RequestError where a setting is out of its range."""
        _one_of("model", self.model, MODELS)
        _one_of("device", self.device, DEVICES)
        if self.model == "file" and self.model_file is None:
            raise RequestError(
                "The model is to come from a file, but no model file was given.",
                "Choose a .safetensors file, or let the model be trained on the scene.",
            )
        _number("routing ratio", self.routing_ratio, 0.0, 1.0)
        _number("training time in minutes", self.training_minutes, 0.0, math.inf)
        if self.training_steps is not None:
            _whole("number of training steps", self.training_steps, 0, 10**9)
        if self.psf_sigma is not None:
            _number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, 10.0)
        _whole("tile size", self.tile_size, LEAST_TILE, GREATEST_TILE)
        _whole("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True)
class ProbeRequest:
    """Ask the engine what it is: its versions and its devices."""

    task: ClassVar[str] = "probe"


Request = Union[FuseRequest, ProbeRequest]
_TASKS: dict[str, type] = {"fuse": FuseRequest, "probe": ProbeRequest}


def to_json(request: Request) -> str:
    """One line of ASCII JSON without its line end."""
    body = {"protocol": PROTOCOL, "task": request.task, **asdict(request)}
    return json.dumps(body, allow_nan=False)


def from_json(text: str | bytes) -> Request:
    """Read a request; RequestError where it is anything but one of this protocol."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"A request that is not JSON arrived: {text[:100]!r}.") from error
    if not isinstance(body, dict):
        raise RequestError(f"A request must be a JSON object, not {type(body).__name__}.")
    if body.pop("protocol", None) != PROTOCOL:
        raise RequestError(
            f"The request speaks another version than this engine's, {PROTOCOL}.",
            "Restart QGIS, so that the plugin and its engine are of one version again.",
        )
    task = body.pop("task", None)
    if not isinstance(task, str) or task not in _TASKS:
        raise RequestError(f"The request's task is unknown: {task!r}.")
    for name in ("hyperspectral", "multispectral"):
        if name in body:
            body[name] = _build(RasterSource, body[name])
    return _build(_TASKS[task], body)


def _build(kind: type, body: Any) -> Any:
    """`kind(**body)`, with RequestError for unknown or missing keys."""
    if not isinstance(body, dict):
        raise RequestError(f"A {kind.__name__} must be a JSON object, not {body!r}.")
    try:
        return kind(**body)
    except TypeError as error:
        raise RequestError(f"A {kind.__name__} with the wrong keys arrived: {error}.") from error


def _run_id(value: Any) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{8,64}", value):
        raise RequestError(f"A run's id must be 8 to 64 hexadecimal digits, not {value!r}.")


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value or "\0" in value:
        raise RequestError(f"The request's {name} must be text that is not empty, not {value!r}.")


def _optional_text(name: str, value: Any) -> None:
    if value is not None:
        _text(name, value)


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RequestError(f"The {name} must be one of {', '.join(allowed)}, not {value!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(name: str, value: Any, low: float, high: float) -> None:
    if not _is_number(value) or not (math.isfinite(value) and low <= value <= high):
        bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise RequestError(f"The {name} must be a number {bounds}, not {value!r}.")


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(
            f"The {name} must be a whole number from {low} to {high}, not {value!r}."
        )


def _extent(value: Any) -> tuple[float, float, float, float] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 4 or not all(map(_is_number, value)):
        raise RequestError(f"An extent must be four numbers, not {value!r}.")
    xmin, ymin, xmax, ymax = map(float, value)
    if not all(map(math.isfinite, (xmin, ymin, xmax, ymax))) or xmin >= xmax or ymin >= ymax:
        raise RequestError(
            f"The extent {value!r} is empty.", "Give it as xmin, ymin, xmax, ymax, or leave it out."
        )
    return xmin, ymin, xmax, ymax


def _ranges(value: Any) -> Ranges:
    """Per band the pairs (low, high), as tuples; infinite ends are not JSON and are refused."""
    try:
        bands = tuple(tuple((low, high) for low, high in band) for band in value)
    except (TypeError, ValueError) as error:
        raise RequestError(f"Nodata ranges must be pairs a band, not {value!r}.") from error
    for low, high in (pair for band in bands for pair in band):
        if not (_is_number(low) and _is_number(high) and -math.inf < low <= high < math.inf):
            raise RequestError(f"A nodata range must be two numbers, low first: {low!r}, {high!r}.")
    return bands


def _flags(value: Any) -> tuple[bool, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(flag, bool) for flag in value):
        raise RequestError(f"Switches of the source nodata must be true or false, not {value!r}.")
    return tuple(value)


def _provenance(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        isinstance(item, str) for pair in value.items() for item in pair
    ):
        raise RequestError(f"Provenance must be names and texts, not {value!r}.")
    return dict(value)
