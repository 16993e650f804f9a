"""Cluster: what a tile costs on a Dask worker, and what it costs the machine that joins the tiles.

    python benchmarks cluster [--scenes SIDExBANDS ...] [--workers N ...]

The scenes are those of `bench_scale`, fused by the engine's own process: alone, then with a cluster
of worker processes on this machine. All compute with one thread. What a tile costs the client is
its processor time from the first tile on: reading what landed, blending, encoding, compressing,
writing and laying out. The pixels must be the same; where they are not, the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import distributed
import numpy as np
import rasterio

from ..rasd_qgis.contract.events import Failure, Progress, Result, decode
from ..rasd_qgis.contract.request import FuseRequest, to_json
from . import results
from .bench_scale import ENGINE, make_model, make_request, processor_seconds

SCENES, WORKERS, TILE = ("1856x30", "1856x224"), (2,), 512
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def main(arguments: list[str]) -> int:
    """Measure, print and note the figures; 1 where pixels differ."""
    parser = argparse.ArgumentParser(prog="cluster")
    parser.add_argument("--scenes", nargs="+", default=SCENES, metavar="SCENE")
    parser.add_argument("--workers", nargs="+", type=int, default=WORKERS, metavar="N")
    options = parser.parse_args(arguments)
    os.environ.update(ENVIRONMENT)
    rows: list[dict[str, Any]] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=os.environ.get("RASD_FUSION_BENCH")) as folder:
        for scene in options.scenes:
            side, bands = map(int, scene.split("x"))
            request = make_request(Path(folder), side, bands, TILE)
            model = make_model(request, folder, bands, "")
            request = replace(request, model="file", model_file=model)
            rows += measured(scene, request, options.workers)
    figures = {"rows": rows, "load": load, "tile": TILE}
    body = in_markdown(figures)
    results.save("cluster", "Tiles on a Dask cluster", body, figures)
    print(body)
    return int(not all(row["same pixels"] for row in rows))


def measured(scene: str, request: FuseRequest, workers: list[int]) -> list[dict[str, Any]]:
    """A run on this machine alone, and one for each number of workers."""
    alone = {"worker s": 0.0, "same pixels": True}
    rows = [{"scene": scene, "workers": 0, **run(request), **alone}]
    print(rows[-1], flush=True)
    for count in workers:
        options = {"n_workers": count, "threads_per_worker": 1, "processes": True}
        with distributed.LocalCluster(**options, dashboard_address=":0", memory_limit=0) as made:
            output = request.output.replace("fused", f"fused-{count}")
            far = replace(request, output=output, dask_scheduler=made.scheduler_address)
            # The first run has the workers load torch, the second is measured.
            run(far)
            pids = [nanny.pid for nanny in made.workers.values()]
            before = sum(map(processor_seconds, pids))
            found = run(far)
            spent = sum(map(processor_seconds, pids)) - before
            found["worker s"] = spent / found["tiles"]
        same = same_pixels(request.output, output)
        rows.append({"scene": scene, "workers": count, **found, "same pixels": same})
        print(rows[-1], flush=True)
    return rows


def run(request: FuseRequest) -> dict[str, Any]:
    """One run: tiles, seconds from the first to the result, the engine's own time on processors."""
    command = [sys.executable, "-I", "-X", "utf8", str(ENGINE)]
    began, spent, tiles, event = 0.0, 0.0, 0, None
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        requests, events = cast("IO[bytes]", engine.stdin), cast("IO[bytes]", engine.stdout)
        requests.write(to_json(request).encode() + b"\n")
        requests.flush()
        for line in events:
            event = decode(line)
            if isinstance(event, Progress) and event.phase == "fusing":
                tiles += bool(event.text)
                if not began:
                    began, spent = time.monotonic(), processor_seconds(engine.pid)
            if isinstance(event, (Failure, Result)):
                break
        seconds, spent = time.monotonic() - began, processor_seconds(engine.pid) - spent
        engine.wait()
    if not isinstance(event, Result):
        raise RuntimeError(f"the engine failed: {event}")
    return {"tiles": tiles, "s": seconds, "s a tile": seconds / tiles, "client s": spent / tiles}


def same_pixels(one: str, other: str) -> bool:
    """Whether two rasters hold the same values and nodata."""
    with rasterio.open(one) as first, rasterio.open(other) as second:
        windows = [window for _, window in first.block_windows(1)]
        return first.nodatavals == second.nodatavals and all(
            np.array_equal(first.read(window=window), second.read(window=window), equal_nan=True)
            for window in windows
        )


def in_markdown(figures: dict[str, Any]) -> str:
    """What was measured, and the table."""
    head = ("scene", "workers", "tiles", "s", "s a tile", "worker s", "client s", "same pixels")
    table = [
        [f"{row[key]:.2f}" if isinstance(row[key], float) else row[key] for key in head]
        for row in figures["rows"]
    ]
    return (
        f"The scenes of bench-scale, tiles of {figures['tile']}, fused by the engine alone (0 "
        "workers) and by Dask workers, a process each, all on this machine and with one thread "
        f"each; load before {figures['load']:.1f}. “s” is from the first tile to the result. "
        "“worker s” and “client s” are processor time a tile, of all workers and of the engine "
        "itself; at 0 workers the engine's is the network's, too."
        f"\n\n{results.table(head, table)}"
    )
