"""The engine's environment: where its venv is, and in what state.

It lives in the user's data place, shared by all QGIS profiles and outside the plugin's folder,
or where the variable RASD_FUSION_ENGINE points. A venv that we made carries a stamp: the digest
of the requirements it was made from, written last, so that a set-up that was interrupted is
never taken for a finished one. A venv without our stamp is the user's own: it is used as it is
as long as it holds what the engine needs.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from qgis.PyQt.QtCore import QStandardPaths

from ..contract.errors import EngineBrokenError, EngineMissingError

VARIABLE = "RASD_FUSION_ENGINE"
REQUIREMENTS = Path(__file__).resolve().parent.parent / "engine" / "requirements.txt"
STAMP = "rasd-fusion-engine.txt"
UNFINISHED = "unfinished"
NEEDED = ("torch", "rasterio", "numpy", "safetensors")

SET_UP = (
    "Run the algorithm “Set up the engine” of RASD Fusion in the Processing Toolbox "
    "(rasd:setupengine) once, or let the variable RASD_FUSION_ENGINE point at an existing engine."
)


@dataclass(frozen=True)
class Ready:
    """The engine can be started with `python`."""

    python: Path


@dataclass(frozen=True)
class Missing:
    """There is no engine at `home`."""

    home: Path


@dataclass(frozen=True)
class Broken:
    """There is something at `home`, but it is no working engine, for this reason."""

    home: Path
    reason: str


@dataclass(frozen=True)
class Outdated:
    """The engine at `home` was made for another version of the plugin."""

    home: Path


State = Union[Ready, Missing, Broken, Outdated]


def engine_home() -> Path:
    """The folder of the engine's venv, whether or not it exists."""
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(place) / "rasd-fusion" / "engine"


def engine_python(home: Path) -> Path:
    """The path of the venv's Python, whether or not it exists."""
    if sys.platform == "win32":
        return home / "Scripts" / "python.exe"
    return home / "bin" / "python"


def requirements_digest() -> str:
    """What a finished set-up of this version of the plugin leaves as its stamp."""
    return hashlib.sha256(REQUIREMENTS.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def read_stamp(home: Path) -> str | None:
    """The stamp of a venv made by us, None where there is none."""
    try:
        return (home / STAMP).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def state(home: Path | None = None) -> State:
    """The state of the engine, by its files alone (no process is started)."""
    home = engine_home() if home is None else home
    if not home.exists() or is_empty_folder(home):
        return Missing(home)
    python = engine_python(home)
    stamp = read_stamp(home)
    if stamp == UNFINISHED:
        return Broken(home, "its set-up was interrupted")
    if not python.exists():
        return Broken(home, f"it has no Python at {python}")
    if stamp is not None and stamp != requirements_digest():
        return Outdated(home)
    lacking = missing_packages(home)
    if lacking:
        return Broken(home, f"it lacks {', '.join(lacking)}")
    return Ready(python)


def is_empty_folder(path: Path) -> bool:
    """True for a folder that can be read and holds nothing."""
    try:
        return not any(path.iterdir())
    except OSError:
        return False


def require_engine() -> Path:
    """The Python to start the engine with.

    EngineMissingError or EngineBrokenError, with what to do, where there is none.
    """
    found = state()
    if isinstance(found, Ready):
        return found.python
    if isinstance(found, Missing):
        raise EngineMissingError(f"The engine of RASD Fusion is not set up ({found.home}).", SET_UP)
    if isinstance(found, Outdated):
        raise EngineBrokenError(
            f"The engine of RASD Fusion at {found.home} belongs to another version of the plugin.",
            SET_UP,
        )
    raise EngineBrokenError(
        f"The engine of RASD Fusion at {found.home} cannot be used: {found.reason}.", SET_UP
    )


def missing_packages(home: Path) -> list[str]:
    """Which of the packages the engine cannot do without the venv at `home` does not hold."""
    folders = site_folders(home)
    return [name for name in NEEDED if not any(_holds(folder, name) for folder in folders)]


def _holds(folder: Path, name: str) -> bool:
    return any(True for _ in folder.glob(f"{name}-*.dist-info"))


def site_folders(home: Path) -> list[Path]:
    """Where the venv at `home` holds its packages, as far as that is there."""
    if sys.platform == "win32":
        return [home / "Lib" / "site-packages"]
    return sorted(home.glob("lib/python3*/site-packages"))
