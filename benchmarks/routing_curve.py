"""What the routing ratio trades, measured: the curves that the fusion dialog shows.

    python benchmarks routing-curve

The bundled model on the demo's pair. Each ratio runs in a process of its own: the processor time of
what is told the network and of the network, and the growth of memory, on the scene laid out 3 x 3
times, and PSNR on the scene itself. The result goes to resources/curves/routing.json, where the
dialog reads it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ..rasd_qgis.contract.request import FuseRequest, RasterSource
from . import indian_pines, metrics, rasters
from .indian_pines import Pair

ROOT = Path(__file__).resolve().parent.parent
CURVES = ROOT / "resources" / "curves" / "routing.json"
RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
REPEATS = 3
TIMES = 3  # the scene beside and below itself, mirrored, for time and memory
ONE = "--one"


def main(arguments: list[str]) -> int:
    """Measure every ratio, write the curves; 1 where a ratio's process failed."""
    parser = argparse.ArgumentParser(prog="routing-curve")
    parser.add_argument(ONE, nargs=2, metavar=("RATIO", "FOLDER"), help="used by itself")
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measure_one(float(options.one[0]), Path(options.one[1]))))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        rows = [_in_own_process(ratio, folder) for ratio in RATIOS]
    CURVES.parent.mkdir(parents=True, exist_ok=True)
    CURVES.write_text(json.dumps(as_curves(rows), indent=1) + "\n", encoding="utf-8")
    print(CURVES.read_text(encoding="utf-8"))
    return 0


def prepare(folder: Path) -> None:
    """Write the pair, and the same laid out TIMES x TIMES."""
    pair = indian_pines.load_pair()
    rasters.write_pair(folder, pair)
    (folder / "wide").mkdir()
    rasters.write_pair(folder / "wide", _widened(pair))


def measure_one(ratio: float, folder: Path) -> dict[str, float]:
    """Seconds of processor, MiB of memory and dB at one ratio; run in a process of its own."""
    from ..rasd_qgis.engine.general import network

    values: dict[str, float] = {"ratio": ratio}
    inner, spent = network.GeneralNetwork.fuse, []

    def timed(self: Any, *rest: Any) -> Any:
        started = time.process_time()
        fused = inner(self, *rest)
        spent.append(time.process_time() - started)
        return fused

    name = f"r{ratio:g}.tif"
    _fuse(folder, ratio, name)
    reference = rasters.read(folder / "reference.tif")
    values["psnr"] = metrics.psnr(rasters.read(folder / name), reference)
    before = _most_mib()
    runs = []
    with patch.object(network.GeneralNetwork, "fuse", timed):
        for _ in range(REPEATS):
            spent.clear()
            _fuse(folder / "wide", ratio, name)
            runs.append(sum(spent))
    return values | {"seconds": min(runs), "mib": _most_mib() - before}


def as_curves(rows: list[dict[str, float]]) -> dict[str, Any]:
    """The columns as the dialog reads them, time and memory relative to ratio 0."""
    first = rows[0]
    return {
        "scene": "Indian Pines, ratio 4",
        "how": "python benchmarks routing-curve; one thread; time of a tile",
        "seconds_at_0": round(first["seconds"], 3),
        "mib_at_0": round(first["mib"], 1),
        "ratios": [row["ratio"] for row in rows],
        "time": [round(row["seconds"] / first["seconds"], 3) for row in rows],
        "memory": [round(row["mib"] / first["mib"], 3) for row in rows],
        "psnr": [round(row["psnr"], 3) for row in rows],
    }


def _in_own_process(ratio: float, folder: Path) -> dict[str, float]:
    """Measure one ratio: time as it is, then memory with every freed tensor given back at once."""
    giving_back = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    timed, sized = _one(ratio, folder, {}), _one(ratio, folder, giving_back)
    row = timed | {"mib": sized["mib"]}
    print(row, file=sys.stderr, flush=True)
    return row


def _one(ratio: float, folder: Path, settings: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, str(ROOT / "benchmarks"), "routing-curve", ONE, f"{ratio}"]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"} | settings
    ended = subprocess.run(
        [*command, str(folder)], check=True, stdout=subprocess.PIPE, text=True, env=alone
    )
    return json.loads(ended.stdout.splitlines()[-1])


def _fuse(folder: Path, ratio: float, output: str) -> dict[str, Any]:
    from ..rasd_qgis.engine.pipeline import fuse
    from ..rasd_qgis.engine.service.report import Reporter

    request = FuseRequest(
        "0123abcd",
        RasterSource(str(folder / "hyperspectral.tif")),
        RasterSource(str(folder / "multispectral.tif")),
        str(folder / output),
        model="bundled",
        routing_ratio=ratio,
        device="cpu",
    )
    return fuse(request, Reporter(StringIO()))


def _widened(pair: Pair) -> Pair:
    def wide(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[1:]
        more = ((0, 0), (0, (TIMES - 1) * height), (0, (TIMES - 1) * width))
        return np.pad(image, more, mode="symmetric")

    return Pair(
        wide(pair.hyperspectral),
        wide(pair.multispectral),
        wide(pair.reference),
        pair.wavelengths,
        pair.guide_wavelengths,
        pair.guide_widths,
    )


def _most_mib() -> float:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
