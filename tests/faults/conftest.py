"""A pair in a folder, the engine that is set up here, and runs that faults are put into."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from osgeo import gdal

from rasd_fusion.rasd_qgis.contract.errors import RasdError
from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource
from rasd_fusion.rasd_qgis.engine_link import child as children
from rasd_fusion.rasd_qgis.engine_link import environment, warm
from rasd_fusion.rasd_qgis.engine_link.process import run_engine

from ..processing.conftest import BANDS, coarse_view, guide_view, scene, write_raster

# The end of each phase, in per cent of a run.
PHASES = {"starting": 0.0, "reading": 0.1, "training": 10.00001, "fusing": 75.5, "writing": 95.0}


class Watcher:
    """Feedback that does something once, when the run has come so far; and can cancel it."""

    def __init__(self, percent: float = 1e9, act: Callable[[int], None] | None = None) -> None:
        self._percent, self._act = percent, act
        self.cancelled, self.warnings, self.debug = False, [], []

    def isCanceled(self) -> bool:
        return self.cancelled

    def setProgress(self, progress: float) -> None:
        if progress >= self._percent and self._act:
            act, self._act = self._act, None
            act(engine_pids()[-1])

    @property
    def acted(self) -> bool:
        return self._act is None

    def setProgressText(self, text: str) -> None: ...
    def pushInfo(self, info: str) -> None: ...

    def pushWarning(self, warning: str) -> None:
        self.warnings.append(warning)

    def pushDebugInfo(self, info: str) -> None:
        self.debug.append(info)


def engine_pids() -> list[int]:
    """The processes that this one has started and not yet ended."""
    with children._living_lock:
        return [child.process.pid for child in children._living]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def footprint() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), threading.active_count()


@dataclass
class Case:
    """A pair in a folder, and runs on it."""

    folder: Path
    inputs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fine = scene()
        write_raster(self.folder / "hs.tif", coarse_view(fine), 40.0, nodata=65535)
        write_raster(self.folder / "ms.tif", guide_view(fine), 10.0)
        self.inputs = {name: (self.folder / name).read_bytes() for name in ("hs.tif", "ms.tif")}

    def request(self, **changes) -> FuseRequest:
        usual = {
            "run_id": uuid.uuid4().hex,
            "hyperspectral": RasterSource(str(self.folder / "hs.tif")),
            "multispectral": RasterSource(str(self.folder / "ms.tif")),
            "output": str(self.folder / "fused.tif"),
            "training_steps": 2,
            "tile_size": 32,
            "device": "cpu",
        }
        return FuseRequest(**{**usual, **changes})

    def run(self, watcher: Watcher | None = None, **changes) -> dict:
        request = self.request(**changes)
        return run_engine(request, watcher or Watcher(), environment.require_engine())

    def outcome(self, watcher: Watcher | None = None, **changes) -> dict | RasdError:
        try:
            return self.run(watcher, **changes)
        except RasdError as error:
            return error

    def error(self, watcher: Watcher | None = None, **changes) -> RasdError:
        """The error of a run that must fail; nothing of it may be left."""
        error = self.outcome(watcher, **changes)
        assert isinstance(error, RasdError)
        assert "Traceback" not in error.message
        self.check_nothing_left()
        return error

    def check_nothing_left(self, *more: str, changed: bool = False) -> None:
        names = {path.name for path in self.folder.iterdir() if "rasd-resume" not in path.name}
        assert names - {"filler"} <= {*self.inputs, *more}, names
        assert wait_for(lambda: set(engine_pids()) <= {warm.process_id()}, 5.0)
        if not changed:
            for name, data in self.inputs.items():
                assert (self.folder / name).read_bytes() == data

    def pixels(self, name: str = "fused.tif"):
        dataset = gdal.Open(str(self.folder / name))
        assert dataset.RasterCount == BANDS
        return dataset.ReadAsArray()


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    found = environment.state()
    if not isinstance(found, environment.Ready):
        pytest.skip(f"needs the engine (make setup): {found}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    warm.stop()
    assert wait_for(lambda: not engine_pids(), 5.0)


@pytest.fixture
def case(tmp_path) -> Case:
    return Case(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A function that makes a file system of so many bytes; skips where none may be mounted."""
    mounted = []

    def mount(size: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a small disk needs the right to mount one")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
