"""The workspace: a folder beside the output for what a run keeps on disk while it goes on.

Where the run may be resumed it is `<output>.rasd-resume`, and stays when the run is cut short: with
its key, the trained model or the training's checkpoint, the finished tiles and their journal. The
next run of the same request goes on from there; one of another request empties it. It goes when
the run succeeds, at a run into the same output that is not to be resumed, and after KEPT_DAYS.
Otherwise the folder has a hidden name of the run's, and goes with it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import torch

from ..contract.errors import ModelFileError, OutputError, RequestError
from ..contract.leftovers import KEPT_DAYS, remove_leftovers
from ..contract.request import FuseRequest
from .model.card import model_hash, read_model, write_model
from .model.obtain import Fusion
from .rasters import durable
from .rasters.align import Alignment
from .resume import Journal, request_key
from .scene.train import Notes
from .service.report import Reporter

FORMAT = "rasd-fusion-resume-1"
SUFFIX = ".rasd-resume"
_KEY, _LOCK = "request.json", "lock"


@dataclass(frozen=True)
class Workspace:
    """folder: of the run. journal: None where nothing outlasts the run."""

    folder: Path
    journal: Journal | None = None
    run_id: str = ""

    @property
    def notes(self) -> Notes | None:
        """Where training leaves its checkpoint."""
        if self.journal is None:
            return None
        return Notes(self.folder / "training.safetensors", self.run_id)

    def trained(self, device: torch.device) -> Fusion | None:
        """The model that an earlier run came by, with the PSF it was used with; None of none."""
        try:
            facts = json.loads(self._training.read_text(encoding="utf-8"))
            model, card = read_model(str(self._model))
            if model_hash(model) == facts["model"]:
                sigma, seconds = float(facts["sigma"]), float(facts["seconds"])
                return Fusion(model.to(device), card, sigma, int(facts["steps"]), seconds)
        except (ModelFileError, OSError, ValueError, KeyError, TypeError):
            pass
        self._training.unlink(missing_ok=True)
        return None

    def keep_trained(self, fusion: Fusion) -> None:
        """Keep the run's model, in place of the training's checkpoint."""
        if self.journal is None or self._training.exists():
            return
        write_model(str(self._model), self.run_id, fusion.model, fusion.card)
        found = {key: getattr(fusion, key) for key in ("sigma", "steps", "seconds")}
        facts = {"model": model_hash(fusion.model), **found}
        durable.write(self._training, json.dumps(facts).encode())
        self.folder.joinpath("training.safetensors").unlink(missing_ok=True)

    def begin_anew(self) -> None:
        """Drop all tiles; the model stays."""
        if self.journal is not None:
            self.journal.clear()
        for pattern in ("piece-*", "*.carry", "tile-*"):
            for path in self.folder.glob(pattern):
                path.unlink()

    @property
    def worth_keeping(self) -> bool:
        """Whether a later run would find anything."""
        names = "journal.jsonl", "training.safetensors", self._model.name
        return any((self.folder / name).exists() for name in names)

    @property
    def _model(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def _training(self) -> Path:
        return self.folder / "trained.json"


@contextlib.contextmanager
def workspace(
    request: FuseRequest, pair: Alignment, device: torch.device, reporter: Reporter
) -> Iterator[Workspace]:
    """The workspace of a run of fusion; what cannot be written there is told as an OutputError."""
    output = Path(request.output)
    folder = output.with_name(output.name + SUFFIX)
    with told(output), ExitStack() as stack:
        # What another run removes meanwhile needs no sweeping.
        with contextlib.suppress(OSError):
            _sweep(output.parent, reporter)
        lock = _taken(folder, make=request.resumable)
        if lock is None or not request.resumable:
            if lock is not None:
                _remove(folder, lock)
            elif request.resumable:
                reporter.log(f"{folder.name} is in use or not ours: this run cannot be resumed.")
            yield Workspace(stack.enter_context(temporary_folder(output, request.run_id)))
            return
        stack.callback(lock.close)
        reporter.log(f"Until the run succeeds, what is finished is kept in {folder.name}.")
        kept = Workspace(folder, Journal(folder), request.run_id)
        _claim(kept, request_key(request, pair, device), request)
        try:
            yield kept
        except BaseException:
            if not kept.worth_keeping:
                _remove(folder, lock)
            raise
        _remove(folder, lock)


@contextlib.contextmanager
def temporary_folder(output: Path, run_id: str) -> Iterator[Path]:
    """A new folder beside an output, under a hidden name of the run's; it goes with the context."""
    folder = output.with_name(f".{output.stem}.rasd-{run_id}.spool")
    with told(output):
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def told(output: Path) -> Iterator[None]:
    """Turn the system's refusal to write beside an output into the analyst's words."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(str(error)) from error
        raise OutputError(
            f"What the run keeps beside {output.name} could not be written "
            f"({error.strerror or str(error)[:200]}).",
            "Free space in that folder, or choose another one: for a while it holds as much as the "
            "output uncompressed.",
        ) from error


def _claim(kept: Workspace, key: str, request: FuseRequest) -> None:
    """Have the folder hold what belongs to this key, and nothing else.

    The lock is held, so the run that had it is over: what it left beside the outputs goes.
    """
    facts = _facts(kept.folder)
    with contextlib.suppress(RequestError):
        remove_leftovers(replace(request, run_id=facts.get("run_id", request.run_id)))
    if facts.get("key") != key:
        for old in kept.folder.iterdir():
            if old.name != _LOCK:
                old.unlink()
    facts = {"format": FORMAT, "key": key, "run_id": request.run_id}
    durable.write(kept.folder / _KEY, json.dumps(facts).encode())


def _facts(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; {} where that is nothing, or not in our words."""
    try:
        facts = json.loads((folder / _KEY).read_text(encoding="utf-8"))
        return facts if facts["format"] == FORMAT else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _is_ours(folder: Path) -> bool:
    """Whether we made it, by the files that we make first; what they hold may have been lost."""
    return all((folder / name).is_file() for name in (_KEY, _LOCK))


def _taken(folder: Path, make: bool) -> IO[bytes] | None:
    """The lock of a folder of ours, which its process's end frees; None where it cannot be had."""
    if make and not folder.is_symlink():
        folder.mkdir(exist_ok=True)
    if folder.is_symlink() or not folder.is_dir():
        return None
    empty = {path.name for path in folder.iterdir()} <= {_LOCK, _KEY + durable.PART}
    if not _is_ours(folder) and not (make and empty):
        return None
    lock = open(folder / _LOCK, "ab")  # noqa: SIM115  # held until the run ends
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _remove(folder: Path, lock: IO[bytes]) -> None:
    """Remove a folder whose lock is held; Windows would keep a file that is open."""
    lock.close()
    shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path, reporter: Reporter) -> None:
    """Remove what was kept in this folder for longer than KEPT_DAYS."""
    for folder in parent.glob(f"*{SUFFIX}"):
        if not _is_ours(folder):
            continue
        newest = max(path.stat().st_mtime for path in folder.iterdir())
        if time.time() - newest < KEPT_DAYS * 86_400:
            continue
        lock = _taken(folder, make=False)
        if lock is not None:
            _remove(folder, lock)
            reporter.log(f"{folder.name} was kept for more than {KEPT_DAYS} days, and is removed.")
