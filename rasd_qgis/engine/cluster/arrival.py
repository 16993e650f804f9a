"""Arrival: how a worker comes by the engine's code, and calls it.

What is here travels to scheduler and workers by value, since they do not know our package: it uses
nothing of ours until the package is loaded. Workers load it from the path that it has on this
machine, where the same sources lie there; else from an archive in the shared storage.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import io
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

PACKAGE = "rasd_fusion"
# Of the plugin's folder, what the engine is made of.
PARTS = ("__init__.py", "rasd_qgis/__init__.py", "rasd_qgis/contract", "rasd_qgis/engine", "models")
KINDS = (".py", ".cu")


def sources(root: str) -> list[str]:
    """The engine's source files under a plugin's folder, as paths below it, in order."""
    found = []
    for part in PARTS:
        top = Path(root, part)
        files = [top] if top.is_file() else top.rglob("*")
        found += [f.relative_to(root).as_posix() for f in files if f.suffix in KINDS]
    return sorted(found)


def digest_of(root: str) -> str:
    """Of all the sources, as hexadecimal digits; of a folder without any, of nothing."""
    found = hashlib.sha256()
    for name in sources(root):
        content = Path(root, name).read_bytes()
        found.update(f"{name} {len(content)} ".encode() + content)
    return found.hexdigest()[:16]


def archive(root: str) -> bytes:
    """The sources, as a zip."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sources(root):
            packed.write(Path(root, name), name)
    return held.getvalue()


def call(root: str, digest: str, storage: str, text: str) -> dict[str, Any]:
    """Load the package of this digest, if that was not done yet, and have it answer a text.

    Returns what JSON can hold; "error": (kind, message, advice) where there is no other answer.
    """
    try:
        _load(root, digest, storage)
        # As the engine's own process, before torch is there.
        importlib.import_module(f"{PACKAGE}.rasd_qgis.engine.service.memory").keep()
        module = importlib.import_module(f"{PACKAGE}.rasd_qgis.engine.cluster.worker")
    except (ImportError, OSError, ValueError) as error:
        import distributed

        told = f"{type(error).__name__}: {error}"[:300]
        worker = distributed.get_worker().address
        message = f"The Dask worker {worker} cannot load the engine ({told})."
        advice = (
            "Give the workers the engine's packages (its requirements.txt and "
            "requirements-cluster.txt) and a storage that they can read; restart them after the "
            "plugin was upgraded."
        )
        return {"error": ("cluster", message, advice)}
    answer: dict[str, Any] = module.answer(text)
    return answer


def _load(root: str, digest: str, storage: str) -> None:
    """Have the package of this digest among the modules; ImportError where another one is there."""
    # Each task brings functions of its own, so only the interpreter can hold one lock for all.
    with vars(sys).setdefault("_rasd_fusion_arrival", threading.Lock()):
        there = sys.modules.get(PACKAGE)
        if there is not None:
            known = getattr(there, "_arrived", None) or digest_of(there.__path__[0])
            if known != digest:
                raise ImportError("another version of it is loaded there")
            vars(there)["_arrived"] = digest
            return
        folder = root if digest_of(root) == digest else _unpacked(digest, storage)
        spec = importlib.util.spec_from_file_location(
            PACKAGE, f"{folder}/__init__.py", submodule_search_locations=[folder]
        )
        if spec is None or spec.loader is None:
            raise ImportError("its sources are no package")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        vars(module)["_arrived"] = digest
        sys.modules[PACKAGE] = module


def _unpacked(digest: str, storage: str) -> str:
    """A private folder of the sources, from the archive in the storage."""
    from fsspec.core import url_to_fs

    files, top = url_to_fs(storage)
    packed = io.BytesIO(files.cat_file(f"{top.rstrip('/')}/code-{digest}.zip"))
    folder = tempfile.mkdtemp(prefix="rasd-fusion-code-")
    with zipfile.ZipFile(packed) as archived:
        archived.extractall(folder)
    if digest_of(folder) != digest:
        raise ImportError("the archive in the storage is not whole")
    return folder


# What says that it is of __main__ is pickled by value, here and where Dask passes it on.
for _function in (sources, digest_of, archive, call, _load, _unpacked):
    _function.__module__ = "__main__"
