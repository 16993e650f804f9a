"""The diagnosis: one Markdown text that an analyst can paste where she asks for help."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgis.core import Qgis
from qgis.PyQt.QtCore import QT_VERSION_STR

from . import builds, last_error
from .environment import (
    VARIABLE,
    Missing,
    Outdated,
    Ready,
    State,
    engine_home,
    engine_python,
    state,
)

LOG = "engine-setup.log"
LOG_LINES = 20  # of the set-up's log


def log_path(home: Path | None = None) -> Path:
    """Where the log of the last set-up stands, beside the engine."""
    return (home or engine_home()).parent / LOG


def diagnose(plugin: str, self_test: Mapping[str, Any] | None = None) -> str:
    """The text. plugin: its version. self_test: the values of a self-test, None where none ran."""
    home = engine_home()
    found = state(home)
    parts = [
        "## RASD Fusion diagnosis",
        _table(
            [
                ("RASD Fusion", plugin),
                ("QGIS", f"{Qgis.version()}, Qt {QT_VERSION_STR}"),
                ("Python of QGIS", f"{platform.python_version()}, {sys.executable}"),
                ("System", f"{platform.platform()}, {os.cpu_count()} processors"),
                ("Engine", describe_state(found)),
                ("Place", _home_as_tilde(str(home))),
                (VARIABLE, _home_as_tilde(os.environ.get(VARIABLE, "") or "not set")),
                ("Python of the engine", _home_as_tilde(str(engine_python(home)))),
                ("Build", f"{builds.chosen_build().name}, {builds.torch_index() or 'usual index'}"),
                ("NVIDIA driver", "found" if builds.has_nvidia_driver() else "not found"),
            ]
        ),
        "### Self-test",
        _self_test(self_test),
        "### Last error",
        _fenced(_home_as_tilde(last_error.last()) or "none in this session"),
        "### Last lines of the set-up",
        _fenced(_home_as_tilde(_log_tail(home)) or "no log"),
    ]
    return "\n\n".join(parts) + "\n"


def describe_state(found: State) -> str:
    """The engine's state in a few words."""
    if isinstance(found, Ready):
        return "ready"
    if isinstance(found, Missing):
        return "not set up"
    if isinstance(found, Outdated):
        return "made for another version of the plugin"
    return f"broken: {found.reason}"


def _self_test(values: Mapping[str, Any] | None) -> str:
    if values is None:
        return "not run"
    probe = values["PROBE"]
    versions = ", ".join(f"{name} {version}" for name, version in probe["versions"].items())
    rows = [
        (one["device"], f"{one['megapixels_per_second']:.3f} megapixels a second")
        if one["works"]
        else (one["device"], f"does not work: {one['error']}")
        for one in values["DEVICES"]
    ]
    return _table([*rows, ("GPU", probe["gpu"] or "none"), ("Versions", versions)])


def _table(rows: Sequence[tuple[str, str]]) -> str:
    lines = ["| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _fenced(text: str) -> str:
    return f"```\n{text.replace('```', 'ʼʼʼ')}\n```"


def _home_as_tilde(text: str) -> str:
    """The text without the name of the user's folder, which is nobody else's business."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def _log_tail(home: Path) -> str:
    try:
        return "\n".join(log_path(home).read_text("utf-8").splitlines()[-LOG_LINES:])
    except (OSError, UnicodeDecodeError):
        return ""
