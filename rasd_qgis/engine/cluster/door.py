"""The door: whether a run asks for a cluster, whether what that takes is here, and the way in.

The libraries of Dask are an extra of the engine's environment, so this module imports none of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...contract.errors import ClusterError
from ...contract.leftovers import KEPT_DAYS
from ...contract.request import FuseRequest, to_json
from ..model.card import model_bytes, model_hash
from ..model.obtain import Fusion
from ..model.one_tile import MadeTile, Wanted
from ..rasters.align import Alignment
from ..scene.tile import Place
from ..service.device import available
from ..service.report import Reporter

if TYPE_CHECKING:
    from .client import Cluster
    from .job import Job
    from .storage import Storage

NEEDED = ("dask", "distributed", "fsspec")
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-cluster.txt"


class Far:
    """A run's way to its cluster: the job, and the storage that all share."""

    def __init__(self, cluster: Cluster, job: Job, storage: Storage) -> None:
        self._cluster, self._job, self._storage = cluster, job, storage

    @property
    def device(self) -> str:
        """What tiles are fused on."""
        return self._job.device

    def tiles(
        self,
        request: FuseRequest,
        fusion: Fusion,
        wanted: Wanted,
        places: Sequence[Place],
        first: int,
    ) -> Generator[MadeTile, None, None]:
        """The tiles from number `first` on, in order, fused by the workers with this model."""
        job = replace(
            self._job,
            request=to_json(request),
            model=model_hash(fusion.model),
            sigma=fusion.sigma,
            confidence=wanted.confidence,
            uncertainty=wanted.uncertainty,
            start=wanted.start,
        )
        self._cluster.hand_out(
            job.model_file, model_bytes(fusion.model, fusion.card), self._storage
        )
        yield from self._cluster.tiles(job, places, first, self._storage)


def check(request: FuseRequest) -> None:
    """ClusterError, before any work, where a cluster is asked for and its libraries are missing."""
    if request.dask_scheduler is None:
        return
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise ClusterError(
            f"DASK_SCHEDULER is given, but the engine lacks {', '.join(lacking)}.",
            f'Add them once: "{sys.executable}" -m pip install -r "{REQUIREMENTS}"; or leave '
            "DASK_SCHEDULER empty to fuse on this machine.",
        )


def local_device(request: FuseRequest) -> str:
    """The device to train on: the one asked for, unless only the cluster's workers have it."""
    if request.dask_scheduler is None or request.device in available():
        return request.device
    return "auto"


@contextlib.contextmanager
def cluster_of(request: FuseRequest, reporter: Reporter) -> Iterator[Cluster | None]:
    """The cluster that a request asks for, reached before any work; None where it asks for none."""
    if request.dask_scheduler is None:
        yield None
        return
    from .client import connected

    with connected(request.dask_scheduler, reporter) as cluster:
        yield cluster


@contextlib.contextmanager
def way_to(
    cluster: Cluster | None,
    request: FuseRequest,
    pair: Alignment,
    device: torch.device,
    folder: Path,
    key: str | None,
    reporter: Reporter,
) -> Iterator[Far | None]:
    """The way to a cluster, tried out by one worker; None where there is no cluster.

    folder: of the run. key: by which a later run into the same output knows what this one leaves
    in a storage of its own; None where nothing outlasts the run. What other runs left there for
    longer than KEPT_DAYS is removed.
    """
    if cluster is None:
        yield None
        return
    from .client import stored
    from .job import job_of
    from .storage import Storage

    own = request.dask_storage
    place = f"{own.rstrip('/')}/{_name(request, key)}" if own else str(folder.absolute())
    with stored(place):
        storage = Storage(place, make=own is not None)
        if own:
            for name in Storage(own).sweep(KEPT_DAYS):
                reporter.log(f"{name} lay in {own} for more than {KEPT_DAYS} days, and is removed.")
    job = job_of(request, pair, device, place)
    done = False
    try:
        cluster.look(job, storage)
        yield Far(cluster, job, storage)
        done = True
    finally:
        if own and (done or key is None):
            with contextlib.suppress(Exception):
                storage.clear()


def _name(request: FuseRequest, key: str | None) -> str:
    """Of the run's folder in a storage; a run into another output does not share it."""
    told = request.run_id if key is None else f"{key} {Path(request.output).absolute()}"
    return f"rasd-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
