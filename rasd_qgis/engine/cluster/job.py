"""Jobs: what a worker must know of a run to fuse any tile of it, as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ....models.fast import compiles
from ...contract.request import FuseRequest, from_json, to_json
from ..model.one_tile import Wanted
from ..rasters.align import Alignment
from ..rasters.facts import fingerprint
from ..scene.tile import Place, Span
from ..service.device import versions

# What the last digits of a pixel hang on, and must be the same everywhere.
_VERSIONS = ("torch", "numpy", "rasterio", "gdal")
# A file in the storage that a worker reads and writes to show that it can.
LOOK = "tile-look"


@dataclass(frozen=True)
class Job:
    """request: of the run, as JSON; its tile size is that of the tiles. storage: where tiles land.

    rasters: the inputs' fingerprints. threads: of torch, for a tile. device: where tiles are fused.
    model: the model's hash, "" before there is one; its file is `model_file` in the storage. sigma:
    the PSF to use it with. confidence, uncertainty, start: as in `Wanted`.
    """

    request: str
    storage: str
    rasters: list[str]
    device: str
    threads: int
    versions: dict[str, str]
    model: str = ""
    sigma: float = 0.0
    confidence: bool = False
    uncertainty: bool = False
    start: bool = False

    @property
    def model_file(self) -> str:
        """Its name in the storage."""
        return f"tile-model-{self.model}.safetensors"

    @property
    def wanted(self) -> Wanted:
        """What is written of a tile."""
        return Wanted(self.confidence, self.uncertainty, self.start)

    def tile_file(self, number: int) -> str:
        """The name that a tile lands under: of this model, and cut like this."""
        return f"tile-{self.model}-{self.asked().tile_size}-{number:06d}.safetensors"

    def asked(self) -> FuseRequest:
        """The request."""
        request = from_json(self.request)
        if not isinstance(request, FuseRequest):
            raise TypeError(f"a job is of a fusion, not of a {request.task}")
        return request


def job_of(request: FuseRequest, pair: Alignment, device: torch.device, storage: str) -> Job:
    """The job of a run that has no model yet.

    Workers take the device that the request names; for "auto", the one that was found here.
    """
    return Job(
        to_json(request),
        storage,
        [fingerprint(pair.hs), fingerprint(pair.ms)],
        str(device) if request.device == "auto" else request.device,
        torch.get_num_threads(),
        deciding_versions(),
    )


def deciding_versions() -> dict[str, str]:
    """Name → version of the libraries that must be the same on all machines."""
    return {name: version for name, version in versions().items() if name in _VERSIONS}


def processor() -> str:
    """What else a pixel's last digits hang on: instructions, and whether kernels are compiled."""
    kernels = "compiled kernels" if compiles() else "torch alone"
    return f"{torch.backends.cpu.get_cpu_capability()} and {kernels}"


@dataclass(frozen=True)
class Task:
    """One tile of a job; without a place, a look at whether the worker can do any."""

    job: Job
    number: int = 0
    place: Place | None = None

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Of such a line."""
        body: dict[str, Any] = json.loads(text)
        held = body["place"]
        place = Place(Span(**held["rows"]), Span(**held["cols"])) if held else None
        return cls(Job(**body["job"]), body["number"], place)
