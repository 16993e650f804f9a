"""Requests: what the QGIS process asks of the engine, one JSON object on one line.

A request is checked when it is made, so a request that exists is a request that makes sense on
its own; whether the rasters it names can be fused is the engine's to find out.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Union

from . import checks
from .assess_request import AssessRequest
from .checks import DEVICES, GREATEST_TILE, LEAST_TILE
from .confidence_request import ConfidenceRequest
from .derive_request import DeriveRequest
from .errors import RequestError
from .inspect_request import DescribeRequest, InspectRequest
from .self_test_request import SelfTestRequest
from .simulate_request import SimulateRequest
from .source import RasterSource
from .train_request import TrainRequest

PROTOCOL = 1
# Of a request, in characters: a hundred times what the largest of ours takes.
MOST_CHARACTERS = 16 * 2**20
MODELS = ("bundled", "scene", "file")
ROUTING_MODES = ("fixed", "auto")


@dataclass(frozen=True)
class FuseRequest:
    """Fuse one hyperspectral raster with one multispectral raster.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    output, confidence, uncertainty, model_output: final paths; None leaves that output out.
    model: "bundled" is the one that ships, "scene" trains on this pair, "file" uses `model_file`.
    extent: (xmin, ymin, xmax, ymax) in the multispectral layer's CRS; None takes all.
    routing_ratio: share of points routed to the low-rank branch, 0…1; with routing_mode "auto" the
        least share: each stage and scale routes all that its discriminator calls low-rank.
    training_minutes: the budget; training_steps, where given, replaces it.
    psf_sigma: standard deviation of the PSF in coarse pixels; None takes that of a model made
        for two sensors, else has it estimated.
    tile_size: in fine pixels.
    resumable: keep what is done in `<output>.rasd-resume` until the run succeeds, and go on from
    what an earlier run of the same request kept there; False removes that.
    dask_scheduler: the address of a Dask cluster whose workers fuse the tiles; None fuses here.
    dask_storage: the folder, or URL as fsspec takes it, where workers leave finished tiles; None
        takes the folder of what the run keeps beside the output.
    provenance: who asked (plugin and QGIS versions …), kept in the outputs' tags.
    """

    task: ClassVar[str] = "fuse"
    sources: ClassVar[tuple[str, ...]] = ("hyperspectral", "multispectral")
    outputs: ClassVar[tuple[str, ...]] = ("output", "confidence", "uncertainty", "model_output")

    run_id: str
    hyperspectral: RasterSource
    multispectral: RasterSource
    output: str
    confidence: str | None = None
    uncertainty: str | None = None
    model: str = "scene"
    model_file: str | None = None
    model_output: str | None = None
    routing_ratio: float = 0.5
    routing_mode: str = ROUTING_MODES[0]
    extent: tuple[float, float, float, float] | None = None
    training_minutes: float = 3.0
    training_steps: int | None = None
    psf_sigma: float | None = None
    device: str = "auto"
    tile_size: int = 512
    seed: int = 0
    resumable: bool = False
    dask_scheduler: str | None = None
    dask_storage: str | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.run_id(self.run_id)
        for name in ("hyperspectral", "multispectral"):
            if not isinstance(getattr(self, name), RasterSource):
                raise RequestError(f"The request's {name} must be a raster source.")
        checks.text("output", self.output)
        for name in ("confidence", "uncertainty", "model_file", "model_output", "dask_storage"):
            checks.optional_text(name, getattr(self, name))
        checks.address("Dask scheduler", self.dask_scheduler)
        self._check_settings()
        object.__setattr__(self, "extent", checks.extent(self.extent))
        object.__setattr__(self, "provenance", checks.provenance(self.provenance))

    def _check_settings(self) -> None:
        """Raise RequestError where a setting is out of its range."""
        checks.one_of("model", self.model, MODELS)
        checks.one_of("device", self.device, DEVICES)
        checks.one_of("routing mode", self.routing_mode, ROUTING_MODES)
        if self.model == "file" and self.model_file is None:
            raise RequestError(
                "The model is to come from a file, but no model file was given.",
                "Choose a .safetensors file, or let the model be trained on the scene.",
            )
        if self.uncertainty and self.model == "scene":
            raise RequestError(
                "A model that is trained on the scene cannot tell its uncertainty.",
                "Leave the uncertainty out, or take the bundled model.",
            )
        checks.number("routing ratio", self.routing_ratio, 0.0, 1.0)
        checks.number("training time in minutes", self.training_minutes, 0.0, math.inf)
        if self.training_steps is not None:
            checks.whole("number of training steps", self.training_steps, 0, 10**9)
        if self.psf_sigma is not None:
            checks.number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, 10.0)
        checks.whole("tile size", self.tile_size, LEAST_TILE, GREATEST_TILE)
        checks.whole("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True)
class ProbeRequest:
    """Ask the engine what it is: its versions and its devices."""

    task: ClassVar[str] = "probe"
    sources: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ()


# Each names its task, which of its fields are sources, and which are paths of outputs.
Request = Union[
    FuseRequest,
    SimulateRequest,
    AssessRequest,
    TrainRequest,
    ConfidenceRequest,
    DescribeRequest,
    InspectRequest,
    DeriveRequest,
    SelfTestRequest,
    ProbeRequest,
]
_KINDS: tuple[type[Any], ...] = (
    FuseRequest,
    SimulateRequest,
    AssessRequest,
    TrainRequest,
    ConfidenceRequest,
    DescribeRequest,
    InspectRequest,
    DeriveRequest,
    SelfTestRequest,
    ProbeRequest,
)
_TASKS: dict[str, Any] = {kind.task: kind for kind in _KINDS}


def to_json(request: Request) -> str:
    """One line of ASCII JSON without its line end."""
    body = {"protocol": PROTOCOL, "task": request.task, **asdict(request)}
    return json.dumps(body, allow_nan=False)


def from_json(text: str | bytes) -> Request:
    """Read a request; RequestError where it is anything but one of this protocol."""
    if len(text) > MOST_CHARACTERS:
        raise RequestError(
            f"A request of more than {MOST_CHARACTERS >> 20} million characters arrived.",
            "Run it again with fewer or simpler layers.",
        )
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
        raise RequestError(f"The request's task is unknown: {checks.shown(task)}.")
    kind = _TASKS[task]
    for name in kind.sources:
        if body.get(name) is not None:
            body[name] = _build(RasterSource, body[name])
    for name in getattr(kind, "source_lists", ()):
        if isinstance(body.get(name), list):
            body[name] = tuple(_build(RasterSource, one) for one in body[name])
    return _build(kind, body)


def _build(kind: type, body: Any) -> Any:
    """`kind(**body)`, with RequestError for unknown or missing keys."""
    if not isinstance(body, dict):
        raise RequestError(f"A {kind.__name__} must be a JSON object, not {checks.shown(body)}.")
    try:
        return kind(**body)
    except TypeError as error:
        told = str(error)[:200]
        raise RequestError(f"A {kind.__name__} with the wrong keys arrived: {told}.") from error
