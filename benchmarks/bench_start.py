"""Start-up: the seconds from a run's begin to its first tile, from cold and with a warm engine.

    python benchmarks start

It runs on QGIS's Python, because it calls `engine_link` as the plugin does. A cold run begins
without a process, a warm one with the engine that the run before left; files and compiled kernels
are in the system's cache. What torch's import alone takes in the same minutes is the measure beside
it. Of all runs the quickest counts, as whatever else the machine does only adds to it. Last, with a
cache that is empty: the self-test of the set-up, which compiles, and the first cold run after it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal, osr

from ..rasd_qgis.contract.request import FuseRequest, ProbeRequest, RasterSource
from ..rasd_qgis.contract.self_test_request import SelfTestRequest
from ..rasd_qgis.engine_link import warm
from ..rasd_qgis.engine_link.environment import require_engine
from ..rasd_qgis.engine_link.process import run_engine
from . import results

RUNS = 5
RATIO, COARSE, BANDS, GUIDE_BANDS = 4, 64, 100, 6
PIXEL = 10.0
# Fine pixels a side of the part that is fused, as a preview would ask for.
SIDES = (64, 256)
COLD_LIMIT_S, WARM_LIMIT_S = 5.0, 1.0

gdal.UseExceptions()


class Watch:
    """Feedback that notes when the first tile was done."""

    def __init__(self) -> None:
        self.began, self.tile = time.monotonic(), float("nan")

    def isCanceled(self) -> bool:
        """Never."""
        return False

    def setProgress(self, progress: float) -> None:
        """Progress is told by the text."""

    def setProgressText(self, text: str) -> None:
        """Note the first tile."""
        if text.startswith("tile 1 "):
            self.tile = time.monotonic() - self.began

    def pushInfo(self, info: str) -> None:
        """Logs are not needed."""

    pushWarning = pushDebugInfo = pushInfo


def main(arguments: list[str]) -> int:
    """Measure, print and note the figures; 1 where the smaller extent takes too long."""
    python = require_engine()
    with tempfile.TemporaryDirectory() as folder:
        base = make_request(Path(folder))
        made_by = run_engine(ProbeRequest(), Watch(), python)["versions"]
        trained = replace(base, training_steps=2, model_output=str(Path(folder, "m.safetensors")))
        run_engine(trained, Watch(), python)
        figures = {
            "engine": made_by,
            "import torch": import_seconds(python),
            **{f"{kind}, {side}": measure(request, python) for kind, side, request in cases(base)},
            "idle engine MiB": idle_mib(),
            "set-up": after_set_up(base, python),
            "load": os.getloadavg()[0],
        }
    warm.stop()
    body = in_markdown(figures)
    results.save("start", "Start-up of the engine", body, figures)
    print(body)
    small = [found for name, found in figures.items() if name.endswith(f", {SIDES[0]}")]
    late = any(f["cold tile"] > COLD_LIMIT_S or f["warm tile"] > WARM_LIMIT_S for f in small)
    return int(late)


def cases(base: FuseRequest) -> list[tuple[str, int, FuseRequest]]:
    """What is started: a model from a file, and none trained, on squares of SIDES."""
    model = str(Path(base.output).parent / "m.safetensors")
    from_file = replace(base, model="file", model_file=model)
    untrained = replace(base, training_steps=0)
    return [
        (kind, side, replace(request, extent=square(side)))
        for kind, request in (("model from a file", from_file), ("no training steps", untrained))
        for side in SIDES
    ]


def measure(request: FuseRequest, python: Path) -> dict[str, float]:
    """The least, in seconds, of RUNS cold and as many warm runs: first tile, and result."""
    times: dict[str, list[float]] = {}
    for _ in range(RUNS):
        warm.stop()
        for state in ("cold", "warm"):
            watch = Watch()
            run_engine(request, watch, python)
            times.setdefault(f"{state} result", []).append(time.monotonic() - watch.began)
            times.setdefault(f"{state} tile", []).append(watch.tile)
    return {name: min(values) for name, values in times.items()}


def after_set_up(base: FuseRequest, python: Path) -> dict[str, float] | None:
    """Seconds of the self-test with nothing compiled, and of a cold run's first tile after it.

    None where the system does not let one choose another cache.
    """
    if platform.system() != "Linux":
        return None
    request = replace(base, training_steps=0, extent=square(SIDES[0]))
    with empty_cache():
        tested = timed(SelfTestRequest(), python)[0]
        tile = timed(request, python)[1]
    with empty_cache():
        unprepared = timed(request, python)[1]
    return {"self-test": tested, "tile after it": tile, "tile without it": unprepared}


def timed(request: FuseRequest | SelfTestRequest, python: Path) -> tuple[float, float]:
    """Seconds to the result of a cold run, and to its first tile."""
    warm.stop()
    watch = Watch()
    run_engine(request, watch, python)
    return time.monotonic() - watch.began, watch.tile


@contextmanager
def empty_cache() -> Iterator[None]:
    """With a cache of the user's that has nothing in it."""
    usual = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            warm.stop()
            del os.environ["XDG_CACHE_HOME"]
            if usual is not None:
                os.environ["XDG_CACHE_HOME"] = usual


def import_seconds(python: Path) -> float:
    """The least time of a Python that imports torch and does nothing else."""
    times = []
    for _ in range(RUNS):
        began = time.monotonic()
        subprocess.run([str(python), "-I", "-c", "import torch"], check=True)
        times.append(time.monotonic() - began)
    return min(times)


def idle_mib() -> float | None:
    """What the warm engine keeps to itself after all these runs; None where that is not told."""
    try:
        _, resident, shared = Path(f"/proc/{warm.process_id()}/statm").read_text().split()[:3]
    except OSError:
        return None
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_markdown(figures: dict[str, Any]) -> str:
    """What was measured, and the table."""
    unit, idle, engine = (figures[name] for name in ("import torch", "idle engine MiB", "engine"))
    rows = [
        (
            f"{name}×{name.rpartition(' ')[2]} px",
            *(f"{found[key]:.2f}" for key in ("cold tile", "cold result")),
            f"{found['cold tile'] / unit:.1f}",
            *(f"{found[key]:.2f}" for key in ("warm tile", "warm result")),
            f"{found['cold tile'] / found['warm tile']:.1f}",
        )
        for name, found in figures.items()
        if isinstance(found, dict) and "cold tile" in found
    ]
    header = ("run", "cold: tile, s", "result, s", "tile ÷ import", "warm: tile, s", "result, s")
    kept = "An idle engine keeps " + ("unknown" if idle is None else f"{idle:.0f} MiB")
    return (
        "Seconds from the call of the engine, as the plugin calls it, to the first tile and to the "
        f"result: {BANDS} bands, a guide of {GUIDE_BANDS}, the quickest of {RUNS} runs, files in "
        f"the system's cache, load {figures['load']:.1f}. The engine has torch {engine['torch']} "
        f"on Python {engine['python']}; `import torch` alone took {unit:.2f} s. Limits for the "
        f"smaller extent: {COLD_LIMIT_S:g} s cold, {WARM_LIMIT_S:g} s warm.\n\n"
        f"{results.table((*header, 'cold ÷ warm'), rows)}\n\n"
        f"{_first_run(figures['set-up'])}{kept} to itself; it leaves above "
        f"{warm.MOST_MIB:.0f} MiB, and after {warm.STAY_S:.0f} s."
    )


def _first_run(found: dict[str, float] | None) -> str:
    """A paragraph on the first run after the set-up, where it was measured."""
    if found is None:
        return ""
    return (
        f"With nothing compiled, the set-up's self-test took {found['self-test']:.0f} s, the first "
        f"tile of a cold run after it {found['tile after it']:.1f} s, and without that self-test "
        f"{found['tile without it']:.0f} s.\n\n"
    )


def make_request(folder: Path) -> FuseRequest:
    """A pair of rasters of noise, and the request to fuse it."""
    random = np.random.default_rng(0)
    hs, ms = folder / "hs.tif", folder / "ms.tif"
    write(hs, random.integers(100, 9000, (BANDS, COARSE, COARSE)), PIXEL * RATIO)
    write(ms, random.integers(100, 9000, (GUIDE_BANDS, COARSE * RATIO, COARSE * RATIO)), PIXEL)
    sources = RasterSource(str(hs)), RasterSource(str(ms))
    outputs = str(folder / "fused.tif"), str(folder / "confidence.tif")
    return FuseRequest("0123456789abcdef", *sources, *outputs)


def square(side: int) -> tuple[float, float, float, float]:
    """The extent of so many fine pixels, from the upper left corner."""
    return 0.0, -side * PIXEL, side * PIXEL, 0.0


def write(path: Path, values: np.ndarray, pixel: float) -> None:
    """Write values (bands, rows, columns) as uint16, its upper left corner at 0, 0."""
    bands, rows, columns = values.shape
    driver = gdal.GetDriverByName("GTiff")
    dataset = driver.Create(str(path), columns, rows, bands, gdal.GDT_UInt16)
    dataset.SetGeoTransform((0.0, pixel, 0.0, 0.0, 0.0, -pixel))
    system = osr.SpatialReference()
    system.ImportFromEPSG(32632)
    dataset.SetProjection(system.ExportToWkt())
    dataset.WriteArray(values.astype(np.uint16))
    dataset.FlushCache()
