"""Surroundings: the environment variables a child process gets.

QGIS's own environment points Python, GDAL, PROJ and Qt at QGIS's files, and the dynamic linker at
QGIS's libraries. The engine brings its own of each, so all of that is taken out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_PREFIXES = (
    "PYTHON",
    "__PYVENV",
    "VIRTUAL_ENV",
    "CONDA",
    "_CONDA",
    "QGIS",
    "QT_",
    "GDAL",
    "OGR_",
    "CPL_",
    "PROJ_",
    "GEOTIFF_",
    "O4W_",
    "OSGEO4W",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_",
)


def clean_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """A copy of `source` (this process's environment by default) without QGIS's settings."""
    source = os.environ if source is None else source
    kept = {name: value for name, value in source.items() if not _is_foreign(name)}
    if sys.platform == "win32":
        kept["PATH"] = _windows_path(kept)
    return kept


def _is_foreign(name: str) -> bool:
    return name.upper().startswith(_PREFIXES)


def _windows_path(environment: Mapping[str, str]) -> str:
    """Only Windows' own folders: QGIS's hold DLLs that torch would load in place of its own."""
    path = next((value for name, value in environment.items() if name.upper() == "PATH"), "")
    root = os.path.normcase(environment.get("SYSTEMROOT", r"C:\Windows"))
    entries = [entry for entry in path.split(os.pathsep) if entry]
    return os.pathsep.join(e for e in entries if os.path.normcase(e).startswith(root))
