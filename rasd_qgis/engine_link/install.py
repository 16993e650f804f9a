"""Install: makes, repairs or renews the engine's venv.

A real Python makes the venv (inside QGIS `sys.executable` may be QGIS itself), then pip installs
the engine's pinned requirements into it. Only folders that are empty, or that carry our stamp,
are ever emptied; into a venv of the user's own the packages are only added.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..contract.errors import Cancelled, EngineBrokenError
from . import builds, warm
from .child import Child
from .environment import (
    REQUIREMENTS,
    STAMP,
    UNFINISHED,
    Ready,
    engine_python,
    is_empty_folder,
    missing_packages,
    read_stamp,
    requirements_digest,
    state,
)
from .network import pip_settings
from .remedies import explain

OnProgress = Callable[[float, str], None]  # fraction 0…1 of the set-up, a line for the log
IsCancelled = Callable[[], bool]

CHECK_S = 30.0  # the longest a Python may take to say what it is
KEPT_LINES = 30  # of pip's output, for the error message
_PROBE = "import sys, venv, ensurepip; print('rasd', *sys.version_info[:2])"
# About the number of packages that pip names while it collects and downloads.
_EXPECTED_LINES = 60


def install(
    home: Path,
    on_progress: OnProgress,
    is_cancelled: IsCancelled,
    wheels: Path | None = None,
    anew: bool = False,
) -> Path:
    """Make the engine at `home` ready and return its Python; quick where it already is.

    wheels: a folder of wheels to take all packages from, without any network. anew: make it again
    though its files look complete. Raises Cancelled, or EngineBrokenError with pip's last words. A
    set-up that ends in either is seen as unfinished by `state`, and the next one repairs it.
    """
    found = state(home)
    if isinstance(found, Ready) and not anew:
        on_progress(1.0, f"The engine is ready: {home}")
        return found.python
    warm.stop()
    _require_room(home)
    ours = _prepare(home)
    if ours:
        base = find_python(is_cancelled)
        on_progress(0.02, f"Making the engine's environment at {home} with {base}")
        _run([str(base), "-I", "-m", "venv", str(home)], is_cancelled, None)
    _install_packages(home, on_progress, is_cancelled, wheels)
    if ours:
        _write_stamp(home, requirements_digest())
    on_progress(1.0, f"The engine is ready: {home}")
    return engine_python(home)


def remove(home: Path) -> None:
    """Remove an engine that was made here; EngineBrokenError where it is not ours, or cannot be."""
    if read_stamp(home) is None:
        raise EngineBrokenError(
            f"The folder {home} was not made by RASD Fusion, and is left as it is.",
            "Remove it by hand if you do not need it.",
        )
    warm.stop()
    try:
        _write_stamp(home, UNFINISHED)
        shutil.rmtree(home)
    except OSError as error:
        raise EngineBrokenError(
            f"The engine at {home} cannot be removed ({error}).",
            "End what still runs from it, and try again.",
        ) from error


def find_python(is_cancelled: IsCancelled = lambda: False) -> Path:
    """A real Python that can make a venv; EngineBrokenError where there is none."""
    for candidate in _candidates():
        if candidate.is_file() and _is_usable(candidate, is_cancelled):
            return candidate
    least = ".".join(map(str, builds.LEAST_PYTHON))
    raise EngineBrokenError(
        f"No Python {least} or newer that can make a virtual environment was found.",
        "Install one (on Debian or Ubuntu: apt install python3-venv; else from python.org) "
        "and run this again.",
    )


def _candidates() -> list[Path]:
    """Where a Python may be, that of QGIS first."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_exec_prefix)
    if sys.platform == "win32":
        found = [prefix / "python.exe", prefix / "python3.exe"]
    else:
        found = [prefix / "bin" / f"python{version}", prefix / "bin" / "python3"]
    names = [f"python{version}", "python3", "python"]
    names += [f"python3.{minor}" for minor in range(14, 9, -1)]
    found += [Path(path) for path in map(shutil.which, names) if path]
    return list(dict.fromkeys(found))


def _is_usable(python: Path, is_cancelled: IsCancelled) -> bool:
    """True where `python` is one, is new enough, and has what a venv needs."""
    try:
        child = Child([str(python), "-I", "-c", _PROBE])
    except OSError:
        return False
    try:
        line = child.next_line(CHECK_S)
    finally:
        child.end()
    if is_cancelled():
        raise Cancelled("The set-up was cancelled.")
    words = (line or "").split()
    if len(words) != 3 or words[0] != "rasd":
        return False
    return (int(words[1]), int(words[2])) >= builds.LEAST_PYTHON


def _prepare(home: Path) -> bool:
    """Make room at `home`; True where the venv is ours to make, False for a user's own venv."""
    if read_stamp(home) is None and home.exists():
        if not is_empty_folder(home) and not (home / "pyvenv.cfg").exists():
            raise EngineBrokenError(
                f"{home} holds something else than an engine, and is left as it is.",
                "Let RASD_FUSION_ENGINE point at a folder that is empty or does not exist yet.",
            )
        if (home / "pyvenv.cfg").exists():
            return False
    try:
        home.mkdir(parents=True, exist_ok=True)
        _write_stamp(home, UNFINISHED)
        _empty(home)
    except OSError as error:
        raise EngineBrokenError(
            f"The folder {home} cannot be written ({error}).",
            "End what still runs from it, or let the variable RASD_FUSION_ENGINE point at "
            "another folder.",
        ) from error
    return True


def _empty(home: Path) -> None:
    """Remove everything of an engine of ours but its stamp, which says that it is ours."""
    for path in home.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != STAMP:
            path.unlink()


def _write_stamp(home: Path, text: str) -> None:
    partial = home / (STAMP + ".part")
    partial.write_text(text + "\n", "utf-8")
    os.replace(partial, home / STAMP)


def _install_packages(
    home: Path, on_progress: OnProgress, is_cancelled: IsCancelled, wheels: Path | None
) -> None:
    command = [str(engine_python(home)), "-I", "-X", "utf8", "-m", "pip", "install"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--requirement", str(REQUIREMENTS)]
    index = builds.torch_index()
    if wheels is not None:
        command += ["--no-index", "--find-links", str(wheels)]
    elif index:
        command += ["--extra-index-url", index]
    source = wheels or index or "the configured index"
    on_progress(0.05, f"Installing the engine's packages from {source}")
    _run(command, is_cancelled, _PipProgress(on_progress), pip_settings(home.parent))
    lacking = missing_packages(home)
    if lacking:
        raise EngineBrokenError(
            f"pip ended, but {', '.join(lacking)} did not arrive.", "Run this again."
        )


class _PipProgress:
    """Reads how far pip is from the lines it prints."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._fraction = 0.05

    def __call__(self, line: str) -> None:
        if line.startswith("Installing collected packages"):
            self._fraction = 0.75
        else:
            self._fraction += (0.7 - self._fraction) / _EXPECTED_LINES if self._early() else 0.0
        self._on_progress(self._fraction, line)

    def _early(self) -> bool:
        return self._fraction < 0.7


def _run(
    command: Sequence[str],
    is_cancelled: IsCancelled,
    on_line: Callable[[str], None] | None,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end; EngineBrokenError with its last words where it fails."""
    try:
        child = Child(command, merge_stderr=True, settings=settings)
    except OSError as error:
        raise EngineBrokenError(
            f"{command[0]} cannot be started ({error.strerror or error}).", "Run this again."
        ) from error
    kept: list[str] = []
    try:
        child.close_input()
        while (line := child.next_line(0.1)) is not None:
            if is_cancelled():
                raise Cancelled("The set-up was cancelled.")
            if line.strip():
                kept = [*kept[1 - KEPT_LINES :], line.rstrip()]
                if on_line is not None:
                    on_line(line.rstrip())
        status = child.wait(10.0)
    finally:
        child.end()
    if child.stopped:
        raise Cancelled("The set-up was stopped, because the plugin was closed.")
    if status != 0:
        raise EngineBrokenError(*explain(command, kept))


def _require_room(home: Path) -> None:
    """EngineBrokenError where the disk cannot hold an engine."""
    place = next((path for path in (home, *home.parents) if path.exists()), home)
    free, needed = shutil.disk_usage(place).free / 1e6, builds.chosen_build().disk_mb
    if free < needed:
        raise EngineBrokenError(
            f"The disk of {home} has {free:.0f} MB free; the engine takes about {needed} MB.",
            "Make room, or let the variable RASD_FUSION_ENGINE point at another disk.",
        )
