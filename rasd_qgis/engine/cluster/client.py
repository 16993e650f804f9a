"""The client's side: a Dask cluster that is there already, and the tiles that its workers fuse.

What is lost with a worker, or with one that is silent for too long, Dask gives to another one. The
tiles come back in their order; finished ones wait in the shared storage, a few for every thread of
the cluster at most. With the connection, the cluster drops what is still to be done.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import torch
from distributed import Client, Future, TimeoutError
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker
from safetensors.torch import load

from ...contract.errors import ClusterError, from_kind
from ..model.one_tile import Found, MadeTile
from ..scene.tile import Place
from ..service.report import Reporter
from . import arrival
from .job import LOOK, Job, Task, processor
from .storage import ERRORS, Storage

CONNECT_SECONDS = 20.0
# How often, while a tile is waited for, it is asked whether there are workers.
LOOK_SECONDS = 5.0
# Tiles under way or waiting, a thread of the cluster, and at least.
AHEAD, LEAST_AHEAD = 2, 4
ROOT = str(Path(__file__).resolve().parents[3])


class Cluster:
    """A cluster that runs tasks of ours; see `connected`."""

    def __init__(self, client: Client, address: str, reporter: Reporter) -> None:
        self._client, self._address, self._reporter = client, address, reporter
        self._digest = arrival.digest_of(ROOT)
        self._told: set[str] = set()

    def look(self, job: Job, storage: Storage) -> None:
        """Have one worker show that it could do the job; ClusterError where it could not."""
        self.hand_out(f"code-{self._digest}.zip", arrival.archive(ROOT), storage)
        self.hand_out(LOOK, b"", storage)
        self._answer(self._submit(Task(job)), "a look at the inputs")
        with stored(storage.place):
            storage.remove(LOOK)

    def hand_out(self, name: str, content: bytes, storage: Storage) -> None:
        """Put a file where all workers find it."""
        with stored(storage.place):
            storage.put(name, content)

    def tiles(
        self, job: Job, places: Sequence[Place], first: int, storage: Storage
    ) -> Generator[MadeTile, None, None]:
        """The tiles of the plan's places from number `first` on, in order, fused by the workers.

        The model's file must be in the storage. Raises what fusing one raises.
        """
        waiting: deque[tuple[int, Future]] = deque()
        numbers = iter(range(first, len(places)))
        while self._fill(waiting, numbers, job, places):
            number, future = waiting[0]
            body = self._answer(future, f"tile {number + 1}")
            waiting.popleft()
            self._compare(body)
            found = Found()
            found.take_up(body["found"])
            with stored(storage.place):
                storage.note_use()
                values = load(storage.get(job.tile_file(number)))["values"]
                yield MadeTile(values, found)
                storage.remove(job.tile_file(number))

    def _fill(
        self,
        waiting: deque[tuple[int, Future]],
        numbers: Iterator[int],
        job: Job,
        places: Sequence[Place],
    ) -> bool:
        """Submit as many tiles as are to be under way; whether there is any."""
        with self._connection():
            threads = sum(self._client.nthreads().values())
        most = max(LEAST_AHEAD, AHEAD * threads)
        while len(waiting) < most:
            number = next(numbers, None)
            if number is None:
                break
            waiting.append((number, self._submit(Task(job, number, places[number]))))
        return bool(waiting)

    def _submit(self, task: Task) -> Future:
        given = ROOT, self._digest, task.job.storage, task.to_json()
        with self._connection():
            return self._client.submit(arrival.call, *given, pure=False)

    def _answer(self, future: Future, what: str) -> dict[str, Any]:
        """What a task answers; RasdError or torch.OutOfMemoryError where that is an error."""
        with self._connection(what):
            while True:
                try:
                    body: dict[str, Any] = future.result(timeout=LOOK_SECONDS)
                    break
                except TimeoutError:
                    self._look_after()
        if "no_memory" in body:
            raise torch.OutOfMemoryError(body["no_memory"])
        if "error" in body:
            raise from_kind(*body["error"])
        return body

    def _look_after(self) -> None:
        """Tell where there is nobody to wait for."""
        if not self._client.nthreads():
            self._tell(
                f"The Dask cluster at {self._address} has no worker at the moment; the run waits "
                "for one."
            )

    def _compare(self, body: dict[str, Any]) -> None:
        here = processor()
        if body["processor"] != here:
            self._tell(
                f"A Dask worker computes by {body['processor']}, this machine by {here}: the last "
                "digits of its pixels may differ from those of a run on this machine."
            )

    def _tell(self, text: str) -> None:
        """Warn, once."""
        if text not in self._told:
            self._told.add(text)
            self._reporter.warn(text)

    @contextlib.contextmanager
    def _connection(self, what: str = "a task") -> Iterator[None]:
        """Turn Dask's own errors into the analyst's words."""
        try:
            yield
        except KilledWorker as error:
            raise ClusterError(
                f"Every Dask worker that was given {what} ended before it was done.",
                "See the workers' logs; where they ran out of memory, give each more of it, or "
                "choose a smaller TILE_SIZE.",
            ) from error
        except (CancelledError, CommClosedError, OSError) as error:
            raise ClusterError(
                f"The connection to the Dask scheduler {self._address} was lost.",
                "Run it again when the scheduler is back.",
            ) from error


@contextlib.contextmanager
def connected(address: str, reporter: Reporter) -> Iterator[Cluster]:
    """The cluster of a scheduler's address; ClusterError where it cannot be had."""
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="rasd-fusion")
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {address} ({type(error).__name__}).",
            "Check the address and that the scheduler runs, or leave DASK_SCHEDULER empty to fuse "
            "on this machine.",
        ) from error
    with client:
        threads = client.nthreads()
        reporter.log(
            f"Dask scheduler {address}: {len(threads)} workers, {sum(threads.values())} threads."
        )
        yield Cluster(client, address, reporter)


@contextlib.contextmanager
def stored(place: str) -> Iterator[None]:
    """Turn the shared storage's refusals into the analyst's words."""
    try:
        yield
    except ERRORS as error:
        if isinstance(error, ClusterError):
            raise
        raise ClusterError(
            f"The shared storage {place} cannot be used "
            f"({type(error).__name__}: {str(error)[:200]}).",
            "Let DASK_STORAGE name a folder that exists, or a URL whose fsspec driver and "
            "credentials this machine has.",
        ) from error
