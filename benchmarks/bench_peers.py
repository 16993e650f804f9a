"""Figures against peers: every method on every pair, a JSON file each.

    python benchmarks peers FOLDER [--rows PATTERN] [--methods NAME ...] [--steps N]

What lies in FOLDER already with the same settings is not made again, so the benchmark can be
stopped and taken up; after a change of a method remove its files. A row's classical methods share
a process, each of the engine's has its own. In the end RESULTS.md is written from all files.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rasd_qgis.contract.request import MODELS
from ..rasd_qgis.engine.model.obtain import BUNDLED
from . import metrics, peers_report, rasd, scenes
from .measure import cost
from .pairs import Pair, Row, Wanted, wanted
from .peers import bayes, cnmf, cubic, glp, gsa, sfim
from .train_bundled import without_folder

Image = NDArray[np.float64]

CLASSICAL: dict[str, Callable[[Pair], Image]] = {
    "cubic": lambda pair: cubic.upsample(pair.coarse, pair.ratio),
    "glp": lambda pair: glp.fuse(pair.coarse, pair.guide, pair.ratio, pair.kernel),
    "gsa": lambda pair: gsa.fuse(pair.coarse, pair.guide, pair.ratio, pair.kernel),
    "sfim": lambda pair: sfim.fuse(pair.coarse, pair.guide, pair.ratio, pair.kernel),
    "cnmf": lambda pair: cnmf.fuse(pair.coarse, pair.guide, pair.ratio, pair.kernel),
    "bayes": lambda pair: bayes.fuse(pair.coarse, pair.guide, pair.ratio, pair.kernel),
}
# A method for every way the engine has of coming by a model.
RASD = {f"rasd-{model}": model for model in MODELS if model != "file"}
BUNDLED_METHOD = "rasd-bundled"
METHODS = (*CLASSICAL, *RASD)
ROUTING = (0.0, 0.3, 0.5, 0.7, 0.9)
USUAL_ROUTING = 0.5
MAIN = Path(__file__).resolve().parent / "__main__.py"


def main(arguments: list[str]) -> int:
    """Make what is missing, then the table; 1 where a method failed on a row."""
    options = _options(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    settings = rasd.Settings(options.steps, options.seed)
    rows = {row.name: row for row in wanted() if fnmatch.fnmatch(row.name, options.rows)}
    if options.one:
        name, *methods = options.one
        wanted_row = rows[name]
        row = wanted_row.make()
        for method in methods:
            own = settings_for(method, wanted_row, settings)
            if own is not None:
                write(options.folder, measure(row, method, own), method)
        return 0
    for name in scenes.missing():
        print(f"{name}: not on this machine, left out")
    failed = 0 if options.report else _make(rows.values(), options.methods, settings, options)
    peers_report.write(options.folder, METHODS)
    return 1 if failed else 0


def settings_for(method: str, row: Wanted, settings: rasd.Settings) -> rasd.Settings | None:
    """A row's settings; None where the bundled model learnt from that very scene, and no model is
    there that was trained without its sensor (`make train-bundled WITHOUT=SENSOR`).
    """
    if method != BUNDLED_METHOD or row.place is None or row.place.role == "test":
        return settings
    weights = without_folder(row.place.sensor) / BUNDLED.name
    return replace(settings, weights=str(weights)) if weights.is_file() else None


def measure(row: Row, method: str, settings: rasd.Settings) -> dict[str, Any]:
    """A method on a row: what it is, its figures, its cost."""
    facts = {
        "row": row.name,
        "scene": row.scene,
        "role": row.role,
        "ratio": row.ratio,
        "guide": row.guide,
        "size": " × ".join(str(side) for side in row.pairs[0].reference.shape[1:]),
        "method": method,
        "settings": identity(method, settings),
    }
    if method in CLASSICAL:
        CLASSICAL[method](_small_pair())
        found = cost(lambda: [CLASSICAL[method](pair) for pair in row.pairs])
        return facts | _figures(row, found.value) | _cost(found.seconds, found.peak)
    return facts | _measure_rasd(row, RASD[method], settings)


def _measure_rasd(row: Row, model: str, settings: rasd.Settings) -> dict[str, Any]:
    """The engine on a row; beside it what its network starts from, and other routing ratios."""
    rasd.warm_up(_small_pair(), model)
    with rasd.fusions(row.pairs, model, settings) as made:
        found = cost(lambda: [fusion.fuse(USUAL_ROUTING) for fusion in made])
        report = _figures(row, found.value) | _cost(found.seconds, found.peak)
        again = [fusion.fuse_and_start(ROUTING[0]) for fusion in made]
        report["start"] = _figures(row, [start for _, start in again])
        by_ratio = {ROUTING[0]: [fused for fused, _ in again], USUAL_ROUTING: found.value}
        for ratio in ROUTING:
            images = by_ratio.get(ratio) or [fusion.fuse(ratio) for fusion in made]
            report.setdefault("by_routing_ratio", {})[str(ratio)] = _figures(row, images)
    return report


def identity(method: str, settings: rasd.Settings) -> dict[str, Any]:
    """The settings that a method's figures hang on."""
    if method == BUNDLED_METHOD:
        weights = Path(settings.weights or BUNDLED)
        digest = hashlib.sha256(weights.read_bytes()).digest()
        # A number: what looks for secrets takes hexadecimal digits for one.
        return {"weights": int.from_bytes(digest[:4], "big")}
    return {"steps": settings.steps, "seed": settings.seed} if method in RASD else {}


def write(folder: Path, report: dict[str, Any], method: str) -> None:
    """Write a row's file, whole or not at all."""
    path = place(folder, report["row"], method)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def place(folder: Path, row: str, method: str) -> Path:
    """The file of a method on a row."""
    return folder / f"{row}--{method}.json"


def is_done(folder: Path, row: str, method: str, settings: rasd.Settings) -> bool:
    """Whether the file is there, made with these settings."""
    path = place(folder, row, method)
    if not path.is_file():
        return False
    done = json.loads(path.read_text(encoding="utf-8"))
    return bool(done["settings"] == identity(method, settings))


def _make(
    rows: Iterable[Wanted],
    methods: Sequence[str],
    settings: rasd.Settings,
    options: argparse.Namespace,
) -> int:
    """Every method on every row that is not done; how many failed."""
    failed = 0
    for row in rows:
        own = {method: settings_for(method, row, settings) for method in methods}
        missing = [m for m, s in own.items() if s and not is_done(options.folder, row.name, m, s)]
        together = [name for name in missing if name in CLASSICAL]
        alone = [[name] for name in missing if name in RASD]
        for some in [together, *alone] if together else alone:
            _run(row.name, some, settings, options.folder)
        for method in missing:
            chosen = own[method] or settings
            done = is_done(options.folder, row.name, method, chosen)
            told = _told(place(options.folder, row.name, method)) if done else "failed"
            print(f"{row.name:24} {method:14} {told}", flush=True)
            failed += not done
    return failed


def _run(row: str, methods: Sequence[str], settings: rasd.Settings, folder: Path) -> None:
    """Measure methods on a row in a process of its own; what fails there leaves no file."""
    command = [sys.executable, str(MAIN), "peers", str(folder), "--one", row, *methods]
    command += ["--steps", str(settings.steps), "--seed", str(settings.seed)]
    subprocess.run(command, check=False)


def _small_pair() -> Pair:
    """Of noise, for what a method compiles or loads at its first call."""
    generator = np.random.default_rng(0)
    reference = generator.uniform(1, 2, (8, 32, 32))
    return Pair(generator.uniform(1, 2, (8, 16, 16)), reference[:3], reference, 2)


def _figures(row: Row, images: Sequence[Image]) -> dict[str, Any]:
    references = [pair.reference for pair in row.pairs]
    found = metrics.pooled_figures(images, references, row.ratio)
    return {name: round(value, 4) for name, value in found.items()}


def _cost(seconds: float, peak: float) -> dict[str, float]:
    return {"seconds": round(seconds, 5), "peak_mib": round(peak, 1)}


def _told(path: Path) -> str:
    report = json.loads(path.read_text(encoding="utf-8"))
    return f"{report['PSNR']:7.2f} dB {report['SAM']:7.3f}° {report['seconds']:8.1f} s"


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peers", description="Measure every method.")
    parser.add_argument("folder", type=Path, help="of the JSON files, one a row and method")
    parser.add_argument("--rows", default="*", help="a pattern of their names (all)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--steps", type=int, default=400, help="of training on a scene (400)")
    parser.add_argument("--seed", type=int, default=0, help="of that training (0)")
    parser.add_argument("--report", action="store_true", help="write the table of what is there")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)
