"""What every room's tests share: the plugin under the name QGIS gives it, and nothing else of it.

The repository root never stands on `sys.path` (its `processing` would hide QGIS's own), so the
root is loaded by its path as the package `rasd_fusion`, as QGIS and the engine do. The suite runs
in two venvs; rooms whose library is absent from this one are not collected unless named.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
NEEDS = {
    "qgis": ["processing", "engine_link", "faults", "gui", "plugin", "house", "tools"],
    "torch": ["models", "engine", "benchmarks", "hostile"],
}

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Torch's threads wait for each other on a machine that is busy; the scenes here need only one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
collect_ignore = [
    folder
    for library, folders in NEEDS.items()
    if importlib.util.find_spec(library) is None
    for folder in folders
]


def load_plugin_package() -> None:
    """Load the root as `rasd_fusion`, and take the root off `sys.path`."""
    sys.path[:] = [entry for entry in sys.path if Path(entry or os.curdir).resolve() != ROOT]
    if "rasd_fusion" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "rasd_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasd_fusion"] = package
    spec.loader.exec_module(package)


def find_qgis_plugins() -> None:
    """Let `import processing` find QGIS's own, which lies beside its data and not on `sys.path`."""
    if importlib.util.find_spec("qgis") is None:
        return
    from qgis.core import QgsApplication

    # Without an application the prefix is not known yet; Debian's is the compiled-in one.
    folders = (Path(QgsApplication.pkgDataPath()), Path("/usr/share/qgis"))
    plugins = [folder / "python" / "plugins" for folder in folders]
    found = [str(folder) for folder in plugins if (folder / "processing").is_dir()]
    if found and found[0] not in sys.path:
        sys.path.append(found[0])


load_plugin_package()
find_qgis_plugins()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository root, which is the plugin folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scenes beside the checkout; skips where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real scenes in ../shared/data, which a plain clone does not have")
    return SHARED_DATA
