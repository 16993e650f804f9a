"""The house's table of imports (ARCHITECTURE.md), held by reading every import with `ast`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# What every room of the engine has beside its requirements.txt.
ENGINE = {"torch", "numpy", "rasterio"}
METHOD = {"service", "rasters", "sensors", "scene", "general", "model"}
# Of requirements-cluster.txt, the extra.
CLUSTER = {"dask", "distributed", "fsspec"}
# Room -> the other rooms of the house, and the libraries beyond the standard one, it may import.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "root": ({"plugin"}, set()),
    "rasd_qgis": (set(), set()),
    "contract": (set(), set()),
    "models": ({"scan", "kernels"}, {"torch"}),
    # llvmlite is numba's own back end, and comes with it.
    "scan": (set(), {"torch", "numpy", "numba", "llvmlite", "triton", "mamba_ssm"}),
    "kernels": ({"scan"}, {"torch", "numba", "llvmlite"}),
    "service": ({"contract", "models"}, ENGINE),
    "rasters": ({"contract"}, ENGINE),
    "sensors": ({"contract", "rasters"}, ENGINE),
    "scene": ({"contract", "models", "service", "rasters", "sensors"}, ENGINE),
    "general": ({"contract", "models", "service", "rasters", "sensors", "scene"}, ENGINE),
    "model": (
        {"contract", "models", "service", "rasters", "sensors", "scene", "general"},
        ENGINE,
    ),
    "quality": ({"contract", *METHOD}, ENGINE),
    "learning": ({"contract", "models", *METHOD}, ENGINE),
    "cluster": ({"contract", "models", *METHOD}, ENGINE | CLUSTER),
    "engine": ({"contract", "models", "quality", "learning", "cluster", *METHOD}, ENGINE),
    "engine_link": ({"contract"}, {"qgis"}),
    "processing": ({"contract", "engine_link"}, {"qgis"}),
    # An absolute `processing` is QGIS's own package, which opens the dialogs of algorithms.
    "gui": (
        {"processing", "engine_link", "contract"},
        {"qgis", "processing", "numpy", "matplotlib"},
    ),
    "plugin": ({"processing", "gui"}, {"qgis", "processing"}),
}
# What only the scan and the kernels may use although the engine's venv has it.
SCAN_ONLY = {"numba"}
# The longest prefix of a file's path tells its room.
PLACES = {
    "__init__.py": "root",
    "rasd_qgis/__init__.py": "rasd_qgis",
    "rasd_qgis/plugin.py": "plugin",
    "rasd_qgis/contract/": "contract",
    "rasd_qgis/engine/": "engine",
    "rasd_qgis/engine/service/": "service",
    "rasd_qgis/engine/rasters/": "rasters",
    "rasd_qgis/engine/sensors/": "sensors",
    "rasd_qgis/engine/scene/": "scene",
    "rasd_qgis/engine/general/": "general",
    "rasd_qgis/engine/model/": "model",
    "rasd_qgis/engine/quality/": "quality",
    "rasd_qgis/engine/learning/": "learning",
    "rasd_qgis/engine/cluster/": "cluster",
    "rasd_qgis/engine_link/": "engine_link",
    "rasd_qgis/gui/": "gui",
    "processing/": "processing",
    "models/": "models",
    "models/scan/": "scan",
    "models/kernels/": "kernels",
}
PRODUCT = ("processing", "rasd_qgis", "models", "resources")


def room_of(path: str) -> str | None:
    places = [place for place in PLACES if path == place or path.startswith(place)]
    places = [place for place in places if place.endswith("/") or path == place]
    return PLACES[max(places, key=len)] if places else None


def product_files(root: Path) -> Iterator[Path]:
    yield root / "__init__.py"
    for part in PRODUCT:
        yield from sorted((root / part).rglob("*.py"))


def engine_libraries(root: Path) -> set[str]:
    text = (root / "rasd_qgis/engine/requirements.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^(\w+)", text, flags=re.MULTILINE)) - SCAN_ONLY


def imported_names(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    """(line, name) of each import: a library's top name, or "/" and the place inside the house."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, (node.module or "").split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            folder = Path(path).parts[: -node.level]
            base = "/".join([*folder, *(node.module or "").split(".")]).strip("/")
            for alias in node.names:
                yield node.lineno, f"/{base}/{alias.name}" if base else f"/{alias.name}"


def target_room(root: Path, place: str) -> str | None:
    """The room of `base/name`, where name is a module of base or something inside base."""
    base, name = place[1:].rpartition("/")[::2]
    candidates = (
        place[1:] + ".py",
        place[1:] + "/__init__.py",
        base + ".py",
        base + "/__init__.py",
    )
    for candidate in candidates:
        if (root / candidate).is_file():
            return room_of(candidate)
    return room_of(f"{base}/{name}.py".lstrip("/"))


def violations(root: Path) -> list[str]:
    """Every import of the product's files that the table does not allow."""
    found = []
    for file in product_files(root):
        path = file.relative_to(root).as_posix()
        room = room_of(path)
        if room is None:
            found.append(f"{path}: in no room of the house")
            continue
        rooms, libraries = ROOMS[room]
        libraries = libraries | (engine_libraries(root) if ENGINE <= libraries else set())
        for line, name in imported_names(ast.parse(file.read_text(encoding="utf-8")), path):
            if name.startswith("/"):
                allowed = target_room(root, name) in {room, *rooms}
            else:
                allowed = name in libraries or name in sys.stdlib_module_names
            if not allowed:
                found.append(f"{path}:{line}: {room} may not import {name}")
    return found


def test_every_import_is_in_the_table(root: Path) -> None:
    assert violations(root) == []


def test_plugin_root_loads_nothing_until_it_is_called(root: Path) -> None:
    program = (
        "import sys, importlib.util\n"
        "spec = importlib.util.spec_from_file_location(\n"
        "    'rasd_fusion', sys.argv[1] + '/__init__.py',\n"
        "    submodule_search_locations=[sys.argv[1]])\n"
        "package = sys.modules['rasd_fusion'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(package)\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('qgis', 'rasd_fusion', 'torch')])\n"
    )
    command = [sys.executable, "-I", "-c", program, str(root)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "['rasd_fusion']"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("rasd_qgis/contract/x.py", "import numpy"),
        ("rasd_qgis/contract/x.py", "from ..engine import read"),
        ("rasd_qgis/engine/x.py", "import qgis.core"),
        ("rasd_qgis/engine/x.py", "import numba"),
        ("rasd_qgis/engine/x.py", "from ...processing import fuse"),
        ("rasd_qgis/engine/rasters/x.py", "from ..scene import tile"),
        ("rasd_qgis/engine/scene/x.py", "from .. import pipeline"),
        ("rasd_qgis/engine/cluster/x.py", "from .. import mosaic"),
        ("rasd_qgis/engine/x.py", "import distributed"),
        ("rasd_qgis/engine_link/x.py", "def f():\n    import torch"),
        ("models/x.py", "import numba"),
        ("models/fast/x.py", "import numba"),
        ("models/kernels/x.py", "from ..routing import descending"),
        ("models/x.py", "from ..rasd_qgis.engine import read"),
        ("processing/x.py", "import torch"),
        ("processing/x.py", "from PyQt5.QtCore import Qt"),
        ("processing/x.py", "import processing"),
        ("processing/x.py", "from ..rasd_qgis import engine"),
        ("rasd_qgis/plugin.py", "from .engine_link import process"),
        ("rasd_qgis/elsewhere/x.py", "import os"),
        ("models/x.py", "from ..tests import conftest"),
    ],
)
def test_a_forbidden_import_is_seen(root: Path, tmp_path: Path, path: str, line: str) -> None:
    requirements = tmp_path / "rasd_qgis/engine/requirements.txt"
    requirements.parent.mkdir(parents=True)
    requirements.write_text((root / "rasd_qgis/engine/requirements.txt").read_text())
    (tmp_path / "__init__.py").write_text('"""Root."""\n')
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line + "\n")
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("rasd_qgis/engine/x.py", "from ..contract.errors import InputError"),
        ("rasd_qgis/engine/x.py", "from ...models import RASDFuNet"),
        ("rasd_qgis/engine/x.py", "import safetensors.torch, rasterio"),
        ("models/scan/x.py", "import numba"),
        ("models/kernels/x.py", "import numba"),
        ("models/fast/x.py", "from ..kernels import run"),
        ("models/kernels/x.py", "from ..scan.simd import LANES"),
        ("models/x.py", "from .scan import selective_scan"),
        ("processing/x.py", "from qgis.PyQt.QtCore import Qt"),
        ("processing/x.py", "from ..rasd_qgis.engine_link import process"),
    ],
)
def test_an_allowed_import_passes(root: Path, tmp_path: Path, path: str, line: str) -> None:
    requirements = tmp_path / "rasd_qgis/engine/requirements.txt"
    requirements.parent.mkdir(parents=True)
    requirements.write_text((root / "rasd_qgis/engine/requirements.txt").read_text())
    (tmp_path / "__init__.py").write_text('"""Root."""\n')
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line + "\n")
    assert violations(tmp_path) == []
