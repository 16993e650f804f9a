"""The worker's side: one tile, read, fused and left in the shared storage.

A worker opens the rasters and loads the model once a run. It reads one tile and fuses one at a
time, whatever the number of its threads: with two, the next tile is read while one is fused.
"""

from __future__ import annotations

import io
import json
import tempfile
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import distributed
import torch
from safetensors.torch import save

from ...contract.errors import ClusterError, InputError, RasdError
from ...contract.request import FuseRequest
from ..model.card import model_hash, read_model
from ..model.obtain import Fusion
from ..model.one_tile import Found, fuse_tile
from ..rasters.align import Alignment, align
from ..rasters.facts import fingerprint
from ..rasters.read import Raster
from ..scene.graphs import graphs_for
from ..scene.tile import Place, read_tile
from ..service.device import choose_device
from ..service.report import Reporter
from .job import LOOK, Job, Task, deciding_versions, processor
from .storage import ERRORS, Storage

# Runs whose rasters and model a worker keeps.
KEPT = 2


@dataclass
class Scene:
    """A run as this worker has it. reading, working: held while a tile is."""

    request: FuseRequest
    pair: Alignment
    storage: Storage
    device: torch.device
    fusion: Fusion | None = None
    reading: threading.Lock = field(default_factory=threading.Lock)
    working: threading.Lock = field(default_factory=threading.Lock)


_scenes: OrderedDict[str, Scene] = OrderedDict()
_opening = threading.Lock()


def answer(text: str) -> dict[str, Any]:
    """Do a task: what was found, or "error": (kind, message, advice), or "no_memory" of the GPU."""
    try:
        task = Task.from_json(text)
        scene = _scene_of(task.job)
        if task.place is None:
            return _looked(scene, task.job)
        found = _landed(scene, task.job, task.number, task.place)
    except torch.OutOfMemoryError as error:
        return {"no_memory": str(error)}
    except RasdError as error:
        return {"error": (error.kind, error.message, error.advice)}
    return {"found": found, "worker": _name(), "processor": processor()}


def _looked(scene: Scene, job: Job) -> dict[str, Any]:
    """Show that the storage can be read and written."""
    try:
        scene.storage.put(LOOK, scene.storage.get(LOOK))
    except ERRORS as error:
        raise _no_storage(job, error) from error
    return {}


def _landed(scene: Scene, job: Job, number: int, place: Place) -> dict[str, Any]:
    """Fuse a tile into the storage, unless an earlier run left it there; what was found."""
    if scene.fusion is None:
        raise TypeError("a tile before its model")
    name = job.tile_file(number)
    size = 4 * _channels(scene, job) * place.rows.size * place.cols.size
    noted = scene.storage.note(name, size)
    if noted is not None:
        with suppress(ValueError, KeyError):
            return dict(json.loads(noted["found"]))
    # Dask's threads come and go, and torch keeps the number by thread.
    torch.set_num_threads(job.threads)
    with torch.inference_mode():
        with scene.reading:
            tile = read_tile(scene.pair, place, job.sigma, scene.device)
        found = Found()
        with scene.working:
            values = fuse_tile(scene.request, scene.fusion, tile, job.wanted, found)
        content = save({"values": values.contiguous()}, {"found": json.dumps(found.state())})
    try:
        scene.storage.put(name, content)
    except ERRORS as error:
        raise _no_storage(job, error) from error
    return found.state()


def _channels(scene: Scene, job: Job) -> int:
    """Of all that is written of a tile."""
    bands = scene.pair.hs.count
    maps = 1 + 2 * scene.fusion.model.network.config.stages if scene.fusion else 0
    return bands * (1 + job.uncertainty + job.start) + maps * job.confidence + 1


def _scene_of(job: Job) -> Scene:
    """The run of a job, opened if this is its first task here."""
    with _opening:
        key = repr(job)
        scene = _scenes.get(key) or _opened(job)
        _scenes[key] = scene
        _scenes.move_to_end(key)
        # What others still use is closed when they have let go of it.
        while len(_scenes) > KEPT:
            _scenes.popitem(last=False)
    return scene


def _opened(job: Job) -> Scene:
    _refuse_versions(job)
    # What is to be said of the pair, the first machine has said.
    request, quiet = job.asked(), Reporter(io.StringIO())
    device, storage = choose_device(job.device, quiet), Storage(job.storage)
    scene = Scene(request, _pair(job, request, quiet), storage, device)
    if job.model:
        scene.fusion = _fusion(job, storage, device, quiet)
    return scene


def _refuse_versions(job: Job) -> None:
    here = deciding_versions()
    for name, version in job.versions.items():
        if here[name] != version:
            raise ClusterError(
                f"The Dask worker {_name()} has {name} {here[name]}, this machine {version}; "
                "the pixels would differ.",
                "Give all workers the engine's packages, as its requirements.txt pins them.",
            )


def _pair(job: Job, request: FuseRequest, quiet: Reporter) -> Alignment:
    try:
        hs, ms = Raster(request.hyperspectral), Raster(request.multispectral)
        pair = align(hs, ms, request.extent, quiet)
        if [fingerprint(hs), fingerprint(ms)] == job.rasters:
            return pair
    except InputError as error:
        raise ClusterError(
            f"The Dask worker {_name()} cannot read the inputs: {error.message}",
            "Put both layers where all workers find them under the same path.",
        ) from error
    raise ClusterError(
        f"The Dask worker {_name()} finds other files under the inputs' paths.",
        "Put both layers where all workers find them under the same path.",
    )


def _fusion(job: Job, storage: Storage, device: torch.device, quiet: Reporter) -> Fusion:
    """The run's model, from its file in the storage."""
    try:
        content = storage.get(job.model_file)
    except ERRORS as error:
        raise _no_storage(job, error) from error
    with tempfile.TemporaryDirectory(prefix="rasd-fusion-") as folder:
        path = Path(folder, "model.safetensors")
        path.write_bytes(content)
        model, card = read_model(str(path))
    if model_hash(model) != job.model:
        raise ClusterError("The model in the shared storage is not the run's.", "Run it again.")
    model = model.to(device)
    model = replace(model, graphs=graphs_for(model.network, device, quiet.log))
    return Fusion(model, card, job.sigma, card.steps, 0.0)


def _no_storage(job: Job, error: Exception) -> ClusterError:
    told = f"{type(error).__name__}: {error}"[:200]
    return ClusterError(
        f"The Dask worker {_name()} cannot use the shared storage {job.storage} ({told}).",
        "Let DASK_STORAGE name a folder that all machines see under one path and may write, or a "
        "URL whose fsspec driver and credentials all of them have.",
    )


def _name() -> str:
    return str(distributed.get_worker().address)
