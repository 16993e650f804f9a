"""Scale: memory and time of whole runs of the engine, from small scenes to large ones.

    python benchmarks scale [--scenes SIDExBANDS[-small] ...] [--tile SIDE]

The scene is the demo's, mirrored in space and in wavelength up to size. Each run is the engine's
own process, as the plugin starts it, with a model made once on a crop, so that what is measured is
reading, the network, blending and writing. Beside it stand the network's own time, which is that of
one tile (the quickest of a few) for each of the tiles, and a plain copy of the output in its own
form, overviews included. Peak memory is the greatest resident size that Linux tells of the process.
With "-small" the network is one stage of SMALL channels: all else is as large as ever, so that
memory can be followed to sizes for which the network would take hours.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

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
from ..rasd_qgis.engine.model.card import read_model, write_model
from ..rasd_qgis.engine.pipeline import peak_memory
from ..rasd_qgis.engine.rasters.align import align
from ..rasd_qgis.engine.rasters.read import Raster
from ..rasd_qgis.engine.scene.tile import plan, read_tile
from . import indian_pines, results
from .rasters import CRS, FINE_PIXEL, LEFT, TOP

ENGINE = Path(__file__).resolve().parent.parent / "rasd_qgis" / "engine" / "__main__.py"
# Sides of 64 + 448·n, at which all tiles of 512 pixels are whole: about 2000 and 8000.
SCENES = ("1856x30", "1856x224", "1856x30-small", "7680x30-small", "7680x30")
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
    with tempfile.TemporaryDirectory(dir=os.environ.get("RASD_FUSION_BENCH")) as folder:
        for scene in options.scenes:
            size, _, small = scene.partition("-")
            side, bands = map(int, size.split("x"))
            request = make_request(Path(folder), side, bands, options.tile)
            model = make_model(request, folder, bands, bool(small))
            rows.append(measure(scene, replace(request, model="file", model_file=model)))
            print(rows[-1], flush=True)
    growth = grown(rows)
    figures = {"scenes": rows, "growth": growth, "load": os.getloadavg()[0]}
    body = in_markdown(figures, options.tile)
    results.save("scale", "Scale: memory and time of whole runs", body, figures)
    print(body)
    late = any(row["ratio"] > TIME_LIMIT for row in rows)
    large = any(row["peak MiB"] > MEMORY_LIMIT_MIB for row in rows)
    return int(late or large or any(g > GROWTH_LIMIT for g in growth.values()))


def measure(scene: str, request: FuseRequest) -> dict[str, Any]:
    """One run, the network by itself, and the copy."""
    network, tiles = network_seconds(request)
    seconds, start, peak = run(request)
    with rasterio.open(request.output) as dataset:
        pixels = dataset.width * dataset.height
        promised = peak_memory(request.tile_size, dataset.count, indian_pines_guide())
    copied = copy_seconds(Path(request.output))
    for path in Path(request.output).parent.glob("*.tif"):
        path.unlink()
    return {
        "scene": scene,
        "tiles": tiles,
        "peak MiB": peak,
        "promised MiB": promised / 2**20,
        "run s": seconds,
        "start-up s": start,
        "network s": network,
        "copy s": copied,
        "s a megapixel": seconds / pixels * 1e6,
        "ratio": (seconds - start) / max(network, copied),
    }


def run(request: FuseRequest) -> tuple[float, float, float]:
    """Seconds of a run by the engine, those before it began to fuse, and its peak in MiB."""
    began, fusing = time.monotonic(), 0.0
    command = [sys.executable, "-I", "-X", "utf8", str(ENGINE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        requests, events = cast("IO[bytes]", engine.stdin), cast("IO[bytes]", engine.stdout)
        requests.write(to_json(request).encode() + b"\n")
        requests.flush()
        event: Any = None
        watch = _Watch(engine.pid)
        for line in events:
            event = decode(line)
            if isinstance(event, Progress) and event.phase == "fusing" and not fusing:
                fusing = time.monotonic() - began
            if isinstance(event, (Failure, Result)):
                break
        seconds = time.monotonic() - began
        engine.wait()
        peak = watch.peak()
    if not isinstance(event, Result):
        raise RuntimeError(f"the engine failed: {event}")
    return seconds, fusing, peak


def network_seconds(request: FuseRequest) -> tuple[float, int]:
    """What the network alone needs for all tiles, by the quickest of a few; and how many."""
    model, card = read_model(request.model_file or "")
    with Raster(request.hyperspectral) as hs, Raster(request.multispectral) as ms:
        pair = align(hs, ms, None, _Silent())
        places = plan(pair.fine.shape, request.tile_size, model.network.tiling)
        tile = read_tile(pair, places[-1][-1], card.psf_sigma, torch.device("cpu"))
        count, times = len(places) * len(places[0]), []
        with torch.inference_mode():
            for _ in range(1 + RUNS):
                began = time.monotonic()
                model.fuse(tile, request.routing_ratio)
                times.append(time.monotonic() - began)
    return count * min(times), count


def copy_seconds(path: Path) -> float:
    """The time of a copy of a raster in its own form, and of its overviews."""
    target = path.with_name("copy.tif")
    began = time.monotonic()
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
        form = {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band"}
        packed = {"compress": "deflate", "zlevel": 6, "predictor": 2, "bigtiff": "if_safer"}
        rasterio.shutil.copy(path, target, driver="GTiff", num_threads="all_cpus", **form, **packed)
        with rasterio.open(path) as dataset:
            factors = dataset.overviews(1)
        if factors:
            with rasterio.open(target, "r+") as dataset:
                dataset.build_overviews(factors, Resampling.average)
    seconds = time.monotonic() - began
    target.unlink()
    return seconds


def make_model(request: FuseRequest, folder: str, bands: int, small: bool) -> str:
    """Train on a crop of the scene, once for every number of bands."""
    model = str(Path(folder, f"model-{bands}.safetensors"))
    if not Path(model).exists():
        train_model(request, folder, model)
    if not small:
        return model
    scene_network, card = read_model(model)
    shape = replace(scene_network.network.config, channels=SMALL, stages=1)
    torch.manual_seed(0)
    network = RASDFuNet(shape)
    network.start_from_skip()
    path = str(Path(folder, f"small-{bands}.safetensors"))
    card = replace(card, shape=shape.to_dict())
    write_model(path, request.run_id, replace(scene_network, network=network), card)
    return path


def train_model(request: FuseRequest, folder: str, model: str) -> None:
    """Train on a crop of the scene."""
    extent = (LEFT, TOP - CROP * FINE_PIXEL, LEFT + CROP * FINE_PIXEL, TOP)
    output = str(Path(folder, "crop.tif"))
    run(replace(request, extent=extent, training_steps=STEPS, model_output=model, output=output))


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
    return FuseRequest("0123456789abcdef", *sources, paths[2], device="cpu", tile_size=tile)


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
            "copy s", "s a megapixel", "ratio")  # fmt: skip
    table = [
        [f"{row[key]:.2f}" if isinstance(row[key], float) else row[key] for key in head]
        for row in figures["scenes"]
    ]
    growth = "; ".join(f"{name}: {value:.3f}" for name, value in figures["growth"].items())
    return (
        f"The demo's scene mirrored up to size (side × bands; ratio {RATIO}, a guide of "
        f"{indian_pines_guide()} bands, uint16), fused by the engine's own process with a model "
        f"from a file, tiles of {tile}; load {figures['load']:.1f}. “-small”: with a network of "
        f"one stage and {SMALL} channels. “Promised” is the formula of "
        "`pipeline.peak_memory`; “ratio” is the run less its start-up (all before the first tile) "
        "over the longer of the network's own time and a plain copy of the output, overviews "
        f"included; limits: {MEMORY_LIMIT_MIB} MiB, ratio {TIME_LIMIT}, growth {GROWTH_LIMIT}."
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


class _Silent:
    """A reporter for nobody."""

    def log(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""
