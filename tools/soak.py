"""Random requests with random faults, one by one: `make soak`, or `make soak SOAK="--minutes 8"`.

Runs the real engine as the plugin does, and a stub in its place for starts and cancels by the
thousand. After each run: what should stand stands and holds the pixels of a run without faults,
what should not does not, and no process, descriptor, thread or file is left but the resume folder.
The numbers go to benchmarks/RESULTS.md; the exit status is 1 where anything was lost, wrong,
orphaned or leaked. Memory that runs out is put in by tests/faults, not here.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib.util
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal

ROOT = Path(__file__).resolve().parent.parent
MOST_MINUTES = 20.0
# Far beyond the longest run here; one that takes as long hangs.
HANGS_S = 180.0
SIDE, RATIO, BANDS, GUIDE = 64, 4, 8, 3


def load_plugin_package() -> None:
    """Load the root as `rasd_fusion`, as QGIS does."""
    spec = importlib.util.spec_from_file_location(
        "rasd_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} does not hold the plugin")
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasd_fusion"] = package
    spec.loader.exec_module(package)


sys.path[:] = [entry for entry in sys.path if Path(entry or os.curdir).resolve() != ROOT]
load_plugin_package()

# What follows is found only now that the package stands under its name.
from rasd_fusion.benchmarks import results  # noqa: E402
from rasd_fusion.rasd_qgis.contract.errors import Cancelled, RasdError  # noqa: E402
from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource  # noqa: E402
from rasd_fusion.rasd_qgis.engine_link import child as children  # noqa: E402
from rasd_fusion.rasd_qgis.engine_link import environment, process, warm  # noqa: E402

gdal.UseExceptions()


class Feedback:
    """Feedback that can be cancelled, at once or at the first word that is logged."""

    def __init__(self, quick: bool = False) -> None:
        self.cancelled, self._quick = False, quick

    def isCanceled(self) -> bool:
        """True once it was cancelled."""
        return self.cancelled

    def pushInfo(self, info: str) -> None:
        """Cancel, where that is wanted at the first word."""
        self.cancelled |= self._quick

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Whatever else feedback is told, it forgets."""
        return lambda *_: None


def write(path: Path, values: np.ndarray, pixel: float) -> None:
    """A GeoTIFF of uint16 (bands, rows, columns)."""
    count, rows, columns = values.shape
    driver = gdal.GetDriverByName("GTiff")
    dataset = driver.Create(str(path), columns, rows, count, gdal.GDT_UInt16)
    dataset.SetGeoTransform((500_000.0, pixel, 0.0, 4_500_000.0, 0.0, -pixel))
    dataset.WriteArray(values)
    dataset.FlushCache()


class Soak:
    """A folder with a pair, the results to compare with, and the tallies."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.counts: collections.Counter[str] = collections.Counter()
        self.found: list[str] = []
        self._make_pair()
        self.settings: list[dict[str, Any]] = [
            {"training_steps": steps, "tile_size": tile, "seed": seed, "routing_ratio": ratio}
            for steps, tile, seed, ratio in ((0, 32, 0, 0.5), (3, 64, 1, 0.2), (8, 32, 2, 0.9))
        ]
        self.settings += [{"model": "bundled", "tile_size": tile} for tile in (32, 64)]
        self.wanted = []
        for index, settings in enumerate(self.settings):
            path = folder / f"wanted{index}.tif"
            self._run(Feedback(), path, settings)
            self.wanted.append(self._pixels(path))
        self.before = footprint()

    def _make_pair(self) -> None:
        noise = np.random.default_rng(0)
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        fields = (rows // 9 * 5 + columns // 11 * 3) % 7
        fine = noise.uniform(500, 6000, (BANDS, 7))[:, fields] + noise.normal(0, 20, (SIDE, SIDE))
        blocks = fine.reshape(BANDS, SIDE // RATIO, RATIO, SIDE // RATIO, RATIO)
        write(self.folder / "hs.tif", blocks.mean((2, 4)).astype("uint16"), 10.0 * RATIO)
        write(self.folder / "ms.tif", fine[:GUIDE].astype("uint16"), 10.0)
        self.inputs = {name: (self.folder / name).read_bytes() for name in ("hs.tif", "ms.tif")}

    def _run(
        self, feedback: Feedback, output: Path, settings: dict[str, Any], hs: str = "hs.tif"
    ) -> dict[str, Any]:
        sources = (RasterSource(str(self.folder / name)) for name in (hs, "ms.tif"))
        request = FuseRequest(uuid.uuid4().hex, *sources, str(output), device="cpu", **settings)
        return process.run_engine(request, feedback, environment.require_engine())

    def _pixels(self, path: Path) -> np.ndarray:
        return gdal.Open(str(path)).ReadAsArray()

    def one(self) -> None:
        """One request with one fault, or none, and everything checked after it."""
        index = self.rng.randrange(len(self.settings))
        name = self.rng.choice(("none", "none", "kill", "stop", "cancel", "truncate", "version"))
        output, feedback = self.folder / f"fused{index}.tif", Feedback()
        output.unlink(missing_ok=True)
        self.counts["requests"] += 1
        self.counts["bundled"] += "model" in self.settings[index]
        self.counts[f"fault: {name}"] += 1
        began = time.monotonic()
        try:
            with self._fault(name, feedback):
                hs = "short.tif" if name == "truncate" else "hs.tif"
                self._run(feedback, output, self.settings[index], hs)
            outcome = "result"
        except RasdError as error:
            outcome = "sentence"
            if name == "none" or not str(error) or "Traceback" in error.message:
                self.note("lost", f"{name}: {error}")
        except Exception as error:
            outcome = "other"
            self.note("wrong", f"{name}: {error!r}")
        self.counts[outcome] += 1
        if time.monotonic() - began > HANGS_S:
            self.note("wrong", f"{name}: it hung")
        self._check(name, outcome, output, index)

    def _check(self, name: str, outcome: str, output: Path, index: int) -> None:
        if outcome == "result" and not np.array_equal(self._pixels(output), self.wanted[index]):
            self.note("wrong", f"{name}: other pixels than without a fault")
        # An engine killed between its output's appearance and telling so leaves it whole.
        if outcome != "result" and output.exists():
            if np.array_equal(self._pixels(output), self.wanted[index]):
                self.counts["whole though untold"] += 1
            else:
                self.note("wrong", f"{name}: part of an output stands though the run failed")
        for given, data in self.inputs.items():
            if (self.folder / given).read_bytes() != data:
                self.note("wrong", f"{name}: {given} was changed")
        if not settles(lambda: set(engines()) <= {warm.process_id()}):
            self.note("orphaned", f"{name}: {engines()}")
        left = [p.name for p in self.folder.iterdir() if ".rasd-" in p.name]
        left = [part for part in left if not part.endswith(".rasd-resume")]
        if left:
            self.note("leaked", f"{name}: {left}")

    def note(self, kind: str, what: str) -> None:
        """Record a finding."""
        self.counts[kind] += 1
        self.found.append(f"{kind}: {what}")
        print(self.found[-1], flush=True)

    @contextlib.contextmanager
    def _fault(self, name: str, feedback: Feedback) -> Iterator[None]:
        """Put the fault in for as long as the run takes."""
        delay = self.rng.choice((self.rng.uniform(0, 0.3), self.rng.uniform(0, 6)))
        timers = [threading.Timer(HANGS_S, setattr, (feedback, "cancelled", True))]
        plain = process.to_json
        if name == "kill":
            timers.append(threading.Timer(delay, self._signal, (signal.SIGKILL,)))
        elif name == "stop":
            timers.append(threading.Timer(delay, self._signal, (signal.SIGSTOP,)))
            timers.append(threading.Timer(delay + 2, self._signal, (signal.SIGCONT,)))
        elif name == "cancel":
            timers.append(threading.Timer(delay, setattr, (feedback, "cancelled", True)))
        elif name == "truncate":
            data = self.inputs["hs.tif"]
            (self.folder / "short.tif").write_bytes(data[: self.rng.randrange(len(data) - 1)])
        elif name == "version":
            process.to_json = lambda request: json.dumps(
                {**json.loads(plain(request)), "protocol": 9}
            )
        for timer in timers:
            timer.start()
        try:
            yield
        finally:
            process.to_json = plain
            self._signal(signal.SIGCONT)
            for timer in timers:
                timer.cancel()
                timer.join()

    @staticmethod
    def _signal(number: signal.Signals) -> None:
        for pid in engines():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def start_and_cancel(self, stub: Path | None) -> None:
        """Start an engine, or a stub in its place, and cancel it at once or a little later."""
        feedback = Feedback(quick=stub is not None)
        timer = threading.Timer(self.rng.uniform(0, 2), setattr, (feedback, "cancelled", True))
        request = FuseRequest(
            uuid.uuid4().hex, *(RasterSource(str(self.folder / name)) for name in self.inputs),
            str(self.folder / "cancelled.tif"), training_steps=10**6,
        )  # fmt: skip
        if stub is None:
            timer.start()
        try:
            process.run_engine(request, feedback, stub or environment.require_engine())
            self.note("wrong", "a cancelled run ended well")
        except Cancelled:
            self.counts["stub cancels" if stub else "real cancels"] += 1
        except RasdError as error:
            self.note("wrong", f"a cancelled run: {error}")
        if stub is None:
            timer.cancel()
            timer.join()

    def finish(self) -> None:
        """Look for what all runs together have left."""
        warm.stop()
        if engines() and not settles(lambda: not engines()):
            self.note("orphaned", f"at the end: {engines()}")
        if not settles(lambda: all(now <= then for now, then in zip(footprint(), self.before))):
            self.note("leaked", f"descriptors and threads {self.before} → {footprint()}")
        if (self.folder / "cancelled.tif").exists():
            self.note("wrong", "a cancelled run left an output")


def engines() -> list[int]:
    """The processes that were started and not yet ended."""
    with children._living_lock:
        return [child.process.pid for child in children._living]


def footprint() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def settles(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it holds within so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def main() -> int:
    """Soak for so many minutes; 1 where anything was found."""
    parser = argparse.ArgumentParser(description="Random requests with random faults.")
    parser.add_argument("--minutes", type=float, default=MOST_MINUTES)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    minutes = min(options.minutes, MOST_MINUTES)
    folder = Path(tempfile.mkdtemp(prefix="rasd-soak-"))
    try:
        soak = Soak(folder, random.Random(options.seed))
        run(soak, minutes)
    finally:
        warm.stop()
        shutil.rmtree(folder, ignore_errors=True)
    save(minutes, soak)
    return 1 if soak.found else 0


def run(soak: Soak, minutes: float) -> None:
    """Half of the time requests with faults, the rest starts and cancels, real ones and stubs."""
    stub = soak.folder / "stub"
    stub.write_text('#!/bin/sh\necho \'{"event": "log", "text": "x"}\'\nexec cat >/dev/null\n')
    stub.chmod(0o755)
    began = time.monotonic()

    def until(share: float) -> bool:
        return time.monotonic() - began < share * minutes * 60

    while until(0.5):
        soak.one()
    warm.stop()
    while until(0.75) and soak.counts["real cancels"] < 200:
        soak.start_and_cancel(None)
    while until(1.0) and soak.counts["stub cancels"] < 10_000:
        soak.start_and_cancel(stub)
    soak.finish()


def save(minutes: float, soak: Soak) -> None:
    """Put the numbers into benchmarks/RESULTS.md."""
    counts = dict(sorted(soak.counts.items()))
    bad = ("lost", "wrong", "orphaned", "leaked")
    faults = {name[7:]: n for name, n in counts.items() if name.startswith("fault: ")}
    without = faults.pop("none", 0)
    rows = [["requests", counts.get("requests", 0)], ["… of them without a fault", without]]
    rows.append(["… by the model that ships", counts.get("bundled", 0)])
    rows += [[f"… with: {name}", number] for name, number in faults.items()]
    rows += [[f"ended with a {name}", counts.get(name, 0)] for name in ("result", "sentence")]
    names = {"real cancels": "starts and cancels of the engine", "stub cancels": "… of a stub"}
    rows += [[words, counts.get(name, 0)] for name, words in names.items()]
    whole = counts.get("whole though untold", 0)
    rows.append(["outputs whole though their engine was killed", whole])
    rows += [[f"**{name}**", counts.get(name, 0)] for name in bad]
    body = (
        f"{minutes:g} minutes of random requests with random faults, each checked for its pixels "
        f"and for what it leaves.\n\n{results.table(['', 'number'], rows)}"
    )
    results.save("soak", "Soak", body, {"counts": counts, "found": soak.found}, target="soak")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    sys.exit(main())
