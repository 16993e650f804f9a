"""Warm: the one engine that stays for a while after its run, so that the next need not load torch.

Whoever wants an engine takes it and owns it then; a second run at the same time finds none and
starts its own. It is given back after a run that went well, and is never handed to a request that
another engine should serve: its program, packages, environment and folder must be those of now.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path

from .child import Child
from .environment import STAMP, site_folders
from .surroundings import clean_environment

STAY_S = 120.0  # the longest an engine waits for the next run
# What an idle engine may keep to itself, libraries apart; small scenes leave 200 to 450 MiB.
MOST_MIB = 1024.0

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = ("rasd_qgis/contract", "rasd_qgis/engine", "models")
_FILES = (".py", ".txt", ".cu")

Identity = tuple[object, ...]

_kept: tuple[Identity, Child] | None = None
_lock = threading.Lock()


def identity(python: str | Path, entry: str | Path) -> Identity:
    """What an engine started now would be; equal ones can stand for each other."""
    home = Path(python).parent.parent
    packages = [home / STAMP, home / "pyvenv.cfg", *site_folders(home)]
    program = [path for folder in _PROGRAM for path in sorted((_ROOT / folder).rglob("*"))]
    files = [path for path in program if path.suffix in _FILES]
    return (
        str(python),
        _folder(),
        tuple(sorted(clean_environment().items())),
        tuple(map(_state, [Path(python), Path(entry), *packages, *files])),
    )


def take(wanted: Identity) -> Child | None:
    """The warm engine, the caller's from now on; None where there is none of this identity."""
    global _kept
    with _lock:
        kept, _kept = _kept, None
    if kept is None:
        return None
    found, child = kept
    if found == wanted and child.is_idle():
        child.forget_tail()
        return child
    child.end()
    return None


def keep(found: Identity, child: Child) -> bool:
    """Keep an idle engine for the next run; False where it is not wanted, or already gone."""
    global _kept
    with _lock:
        if _kept is not None or not child.is_idle():
            return False
        _kept = (found, child)
    child.when_silent(_bury)
    return True


def stop() -> None:
    """End the warm engine, if there is one; it has nothing to save."""
    global _kept
    with _lock:
        kept, _kept = _kept, None
    if kept is not None:
        kept[1].kill()
        kept[1].end()


def process_id() -> int | None:
    """The process id of the warm engine; None where there is none."""
    with _lock:
        return _kept[1].process.pid if _kept is not None else None


def _bury(child: Child) -> None:
    """Clean up after a warm engine that went by itself."""
    global _kept
    with _lock:
        if _kept is None or _kept[1] is not child:
            return
        _kept = None
    child.end()


def _folder() -> str:
    """Where relative paths begin."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _state(path: Path) -> tuple[str, int, int] | None:
    """What changes with a file's content; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_mtime_ns, status.st_size


# For a Python that ends in good order; QGIS's does not, and the closing life line does the same.
atexit.register(stop)
