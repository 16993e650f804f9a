"""Scale: memory and time of whole runs of the engine, from small scenes to large ones.

    python benchmarks scale [--scenes SIDExBANDS[-small|-bundled] ...] [--tile SIDE]

The scene is the demo's, mirrored in space and in wavelength up to size. Each run is the engine's
own process, as the plugin starts it into a file that is to last, so resumable, with a model made
once on a crop, so that what is measured is reading, the network, blending and writing. Beside it
stand the network's own time, which is that of one tile for each of the tiles, and a plain copy of
the output in its own form, overviews included. On a machine that others use, time on the clock says
little, so the ratio is told of processor time as well: what all cores together worked. Of a tile's
few times, half before and half after the run, the least on the clock counts, and the mean of
processor time. Peak memory is the greatest resident size that Linux tells of the process.

With "-bundled" the model is the one that ships, the default of rasd:fuse. With "-small" the network
is one stage of SMALL channels: all else is as large as ever, so that memory can be followed to
sizes for which the network would take hours. No model of the product is as quick as that one.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import IO, Any, NamedTuple, cast

import numpy as np
import rasterio
import rasterio.shutil
import torch
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.windows import Window

from ..models import RASDFuNet
from ..rasd_qgis.contract.events import Failure, Progress, Result, decode
from ..rasd_qgis.contract.request import FuseRequest, RasterSource, to_json
from ..rasd_qgis.engine.model.card import Card, read_model, write_model
from ..rasd_qgis.engine.model.obtain import BUNDLED, from_file
from ..rasd_qgis.engine.pipeline import fuse, peak_memory
from ..rasd_qgis.engine.rasters.align import align
from ..rasd_qgis.engine.rasters.read import Raster
from ..rasd_qgis.engine.rasters.write import LEVEL
from ..rasd_qgis.engine.scene.network import SceneNetwork
from ..rasd_qgis.engine.scene.tile import plan, read_tile
from ..rasd_qgis.engine.service import memory
from ..rasd_qgis.engine.service.report import Reporter
from . import indian_pines, results
from .rasd import training_kept
from .rasters import CRS, FINE_PIXEL, LEFT, TOP

ENGINE = Path(__file__).resolve().parent.parent / "rasd_qgis" / "engine" / "__main__.py"
SCENES = (
    "2000x30", "2000x30-bundled", "2000x30-small", "8000x30-small", "2000x224", "960x224-bundled",
)  # fmt: skip
SMALL = 8
RATIO, CROP, STEPS, RUNS = indian_pines.RATIO, 256, 25, 2
GROWTH_LIMIT, MEMORY_LIMIT_MIB, TIME_LIMIT = 1.05, 3000, 1.3


def main(arguments: list[str]) -> int:
    """Measure, print and note the figures; 1 where a limit is passed."""
    parser = argparse.ArgumentParser(prog="scale")
    parser.add_argument("--scenes", nargs="+", default=SCENES, metavar="SCENE")
    parser.add_argument("--tile", type=int, default=512)
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    memory.keep()  # as the engine does, so that the network by itself is as quick
    with tempfile.TemporaryDirectory(dir=os.environ.get("RASD_FUSION_BENCH")) as folder:
        for scene in options.scenes:
            size, _, kind = scene.partition("-")
            side, bands = map(int, size.split("x"))
            request = make_request(Path(folder), side, bands, options.tile)
            model = make_model(request, folder, bands, kind)
            rows.append(measure(scene, replace(request, model="file", model_file=model)))
            print(rows[-1], flush=True)
            note(rows, options.tile)
    late = any(row["ratio"] > TIME_LIMIT for row in rows)
    large = any(row["peak MiB"] > MEMORY_LIMIT_MIB for row in rows)
    return int(late or large or any(g > GROWTH_LIMIT for g in grown(rows).values()))


def note(rows: list[dict[str, Any]], tile: int) -> None:
    """Put what was measured so far into the record."""
    figures = {"scenes": rows, "growth": grown(rows), "load": os.getloadavg()[0]}
    body = in_markdown(figures, tile)
    results.save("scale", "Scale: memory and time of whole runs", body, figures)


def measure(scene: str, request: FuseRequest) -> dict[str, Any]:
    """One run, the network by itself, and the copy."""
    first, tiles = network_times(request)
    done_first, whole, peak = run(request)
    spent = first + network_times(request)[0]
    # Of several, the quickest tells least of other work; processor time is told as the run's is.
    tile = Spent(min(s.clock for s in spent), mean(s.processor for s in spent))
    before, network = done_first.less(tile), tile.times(tiles)
    fusing = whole.less(before)
    with rasterio.open(request.output) as dataset:
        pixels = dataset.width * dataset.height
        promised = peak_memory(request.tile_size, dataset.count, indian_pines_guide())
    copied = copy_time(Path(request.output))
    for path in Path(request.output).parent.glob("*.tif"):
        path.unlink()
    return {
        "scene": scene,
        "tiles": tiles,
        "peak MiB": peak,
        "promised MiB": promised / 2**20,
        "run s": whole.clock,
        "start-up s": before.clock,
        "network s": network.clock,
        "copy s": copied.clock,
        "s a megapixel": whole.clock / pixels * 1e6,
        "ratio": fusing.clock / max(network.clock, copied.clock),
        "fusing cpu s": fusing.processor,
        "network cpu s": network.processor,
        "copy cpu s": copied.processor,
        "cpu ratio": fusing.processor / max(network.processor, copied.processor),
    }


class Spent(NamedTuple):
    """Seconds on the clock, and of processors."""

    clock: float
    processor: float

    @classmethod
    def now(cls) -> Spent:
        """By this process."""
        return cls(time.monotonic(), time.process_time())

    def less(self, other: Spent) -> Spent:
        """The difference."""
        return Spent(self.clock - other.clock, self.processor - other.processor)

    def times(self, count: int) -> Spent:
        """So often."""
        return Spent(count * self.clock, count * self.processor)


def run(request: FuseRequest) -> tuple[Spent, Spent, float]:
    """What a run by the engine spends until its first tile is done, and in all; its peak in MiB."""
    began, first = time.monotonic(), Spent(0.0, 0.0)
    command = [sys.executable, "-I", "-X", "utf8", str(ENGINE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        requests, events = cast("IO[bytes]", engine.stdin), cast("IO[bytes]", engine.stdout)
        requests.write(to_json(request).encode() + b"\n")
        requests.flush()
        event: Any = None
        watch = _Watch(engine.pid)
        for line in events:
            event = decode(line)
            if isinstance(event, Progress) and event.text.startswith("tile 1 of"):
                first = Spent(time.monotonic() - began, processor_seconds(engine.pid))
            if isinstance(event, (Failure, Result)):
                break
        whole = Spent(time.monotonic() - began, _ended(engine))
        peak = watch.peak()
    if not isinstance(event, Result):
        raise RuntimeError(f"the engine failed: {event}")
    return first, whole, peak


def _ended(engine: subprocess.Popen[bytes]) -> float:
    """Wait for a process's end; what it spent of processors."""
    _, status, usage = os.wait4(engine.pid, 0)
    engine.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def processor_seconds(process: int) -> float:
    """Of another process so far, after proc(5): user's and system's, all threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def network_times(request: FuseRequest) -> tuple[list[Spent], int]:
    """What the network alone needs for a tile, a few times; and how many tiles there are."""
    cpu = torch.device("cpu")
    with Raster(request.hyperspectral) as hs, Raster(request.multispectral) as ms:
        nobody = Reporter(io.StringIO())
        pair = align(hs, ms, None, nobody)
        fusion = from_file(request.model_file or "", None, pair, cpu, nobody)
        places = plan(pair.fine.shape, request.tile_size, fusion.model.network.tiling)
        tile = read_tile(pair, places[-1][-1], fusion.sigma, cpu)
        times = []
        with torch.inference_mode():
            for _ in range(1 + RUNS):
                began = Spent.now()
                fusion.model.fuse(tile, request.routing_ratio)
                times.append(Spent.now().less(began))
    return times[1:], len(places) * len(places[0])


def copy_time(path: Path) -> Spent:
    """What a copy of a raster in its own form, and its overviews, take."""
    target = path.with_name("copy.tif")
    began = Spent.now()
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", ZLEVEL_OVERVIEW=LEVEL):
        form = {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band"}
        packed = {"compress": "deflate", "zlevel": LEVEL, "predictor": 2, "bigtiff": "if_safer"}
        rasterio.shutil.copy(path, target, driver="GTiff", num_threads="all_cpus", **form, **packed)
        with rasterio.open(path) as dataset:
            factors = dataset.overviews(1)
        if factors:
            with rasterio.open(target, "r+") as dataset:
                dataset.build_overviews(factors, Resampling.average)
    spent = Spent.now().less(began)
    target.unlink()
    return spent


def make_model(request: FuseRequest, folder: str, bands: int, kind: str) -> str:
    """The model that ships, or one trained on a crop, once for every number of bands."""
    if kind == "bundled":
        return str(BUNDLED)
    model = str(Path(folder, f"model-{bands}.safetensors"))
    if not Path(model).exists():
        train_model(request, folder, model)
    if not kind:
        return model
    scene_network, card = cast("tuple[SceneNetwork, Card]", read_model(model))
    shape = replace(scene_network.network.config, channels=SMALL, stages=1)
    torch.manual_seed(0)
    network = RASDFuNet(shape)
    network.start_from_skip()
    path = str(Path(folder, f"small-{bands}.safetensors"))
    card = replace(card, shape=shape.to_dict())
    write_model(path, request.run_id, replace(scene_network, network=network), card)
    return path


def train_model(request: FuseRequest, folder: str, model: str) -> None:
    """Train on a crop of the scene; the model is kept, whatever it is worth."""
    extent = (LEFT, TOP - CROP * FINE_PIXEL, LEFT + CROP * FINE_PIXEL, TOP)
    asked = replace(
        request,
        extent=extent,
        model="scene",
        training_steps=STEPS,
        model_output=model,
        output=str(Path(folder, "crop.tif")),
    )
    with training_kept():
        fuse(asked, Reporter(io.StringIO()))


def make_request(folder: Path, side: int, bands: int, tile: int) -> FuseRequest:
    """The demo's pair mirrored to so many fine pixels a side and so many bands, and the request."""
    pair = indian_pines.load_pair()
    count = len(pair.hyperspectral)
    chosen = mirrored(bands, count) if bands > count else np.linspace(0, count - 1, bands)
    hs = pair.hyperspectral[chosen.astype(int)]
    paths = [str(folder / f"{name}-{side}x{bands}.tif") for name in ("hs", "ms", "fused")]
    write_mirrored(paths[0], hs, side // RATIO, FINE_PIXEL * RATIO)
    write_mirrored(paths[1], pair.multispectral, side, FINE_PIXEL)
    sources = RasterSource(paths[0]), RasterSource(paths[1])
    return FuseRequest(
        "0123456789abcdef", *sources, paths[2], device="cpu", tile_size=tile, resumable=True
    )


def write_mirrored(path: str, image: np.ndarray, side: int, pixel: float) -> None:
    """Write an image (bands, n, n), mirrored at its borders until it has `side` pixels a side."""
    place = {"crs": CRS, "transform": Affine(pixel, 0.0, LEFT, 0.0, -pixel, TOP)}
    form = {"compress": "deflate", "zlevel": 1, "interleave": "band", "tiled": True}
    index = mirrored(side, image.shape[1])
    wide = image[:, :, index].astype("uint16")
    size = {"count": len(image), "height": side, "width": side, "dtype": "uint16"}
    with rasterio.open(path, "w", driver="GTiff", bigtiff="if_safer", **size, **place, **form) as f:
        for row in range(0, side, 256):
            rows = index[row : row + 256]
            f.write(wide[:, rows], window=Window(0, row, side, len(rows)))


def mirrored(size: int, period: int) -> np.ndarray:
    """Indices into an axis of `period`, there and back again, `size` of them."""
    return np.pad(np.arange(period), (0, max(0, size - period)), mode="symmetric")[:size]


def indian_pines_guide() -> int:
    """Bands of the guide."""
    return len(indian_pines.GUIDE_BANDS)


def grown(rows: list[dict[str, Any]]) -> dict[str, float]:
    """By number of bands: the peak of the largest scene by that of the smallest."""
    peaks: dict[str, dict[int, float]] = {}
    for row in rows:
        side, kind = row["scene"].split("x")
        peaks.setdefault(kind, {})[int(side)] = row["peak MiB"]
    return {
        f"{max(sides)}x{kind} ÷ {min(sides)}x{kind}": sides[max(sides)] / sides[min(sides)]
        for kind, sides in peaks.items()
        if len(sides) > 1
    }


def in_markdown(figures: dict[str, Any], tile: int) -> str:
    """What was measured, and the table."""
    head = ("scene", "tiles", "peak MiB", "promised MiB", "run s", "start-up s", "network s",
            "copy s", "s a megapixel", "ratio", "cpu ratio")  # fmt: skip
    table = [
        [f"{row[key]:.2f}" if isinstance(row[key], float) else row[key] for key in head]
        for row in figures["scenes"]
    ]
    growth = "; ".join(f"{name}: {value:.3f}" for name, value in figures["growth"].items())
    return (
        f"The demo's scene mirrored up to size (side × bands; ratio {RATIO}, a guide of "
        f"{indian_pines_guide()} bands, uint16), fused by the engine's own process with a model "
        f"from a file, tiles of {tile}, resumable; load {figures['load']:.1f}. “-bundled”: with "
        f"the model that ships. “-small”: with a network of one stage and {SMALL} channels, far "
        "quicker than any model of the product: its ratio says what the rest of a run costs, its "
        "peak how that grows. “Promised” is the formula of `pipeline.peak_memory`; “ratio” is the "
        "run less its start-up (until the first tile is done, less the network's own time for one) "
        "over the longer of the network's own time and a plain copy of the output, overviews "
        "included; “cpu ratio” is the same of processor time, which other work on the machine "
        f"hardly changes. Limits: {MEMORY_LIMIT_MIB} MiB, ratio {TIME_LIMIT}, growth "
        f"{GROWTH_LIMIT}."
        f"\n\n{results.table(head, table)}\n\nGrowth of the peak: {growth or 'not measured'}."
    )


class _Watch:
    """The greatest resident size of a process, asked of Linux five times a second.

    What the system tells of a process that has ended counts that of its parent, before it became
    another program, too.
    """

    def __init__(self, process: int) -> None:
        self._status, self._peak = Path(f"/proc/{process}/status"), 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def peak(self) -> float:
        """In MiB; the process has ended."""
        self._thread.join()
        return self._peak / 1024

    def _look(self) -> None:
        while True:
            try:
                found = re.search(r"^VmHWM:\s+(\d+)", self._status.read_text(), re.MULTILINE)
            except OSError:
                return
            if found is None:
                return
            self._peak = float(found.group(1))
            time.sleep(0.2)
