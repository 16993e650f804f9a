"""CAVE at ×8: a model trained on other scenes by `rasd:train`, against the classical methods.

    python benchmarks cave FOLDER [--steps 1800] [--curve-steps 600] [--seed 0]

The training crops of ../shared/data together make a model, and `rasd:fuse` fuses the crop that it
never saw. A learning curve shows what more scenes do: models of each crop and of both, all by the
same smaller number of steps; zero scenes are what the network starts from. Everything runs by
tools/qgis_process, as an analyst runs it. What lies in FOLDER already with the same settings is not
made again; a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from ..rasd_qgis.engine.outputs import START_IMAGE
from ..rasd_qgis.engine.rasters.spectral import write_spectral
from . import metrics, rasd, rasters, responses, results
from .bench_peers import CLASSICAL
from .demo import QGIS_PROCESS
from .pairs import NOISE, Pair, simulated
from .scenes import PLACES, Place

Image = NDArray[np.float64]

RATIO, GUIDE_BANDS = 8, 3
TEST = "cave-balloons"
# Name of a training -> its scenes; the first, and longest, is held to the classical methods.
MAIN = "both crops"
TRAININGS = {
    MAIN: ("cave-feathers", "cave-toy"),
    "curve: both": ("cave-feathers", "cave-toy"),
    "curve: feathers": ("cave-feathers",),
    "curve: toy": ("cave-toy",),
}
# Name of a test pair -> noise, as a share of a band's root mean square.
TESTS = {"without noise": 0.0, f"noise of {NOISE:.1%}": NOISE}
FIGURES = ("PSNR", "SAM", "ERGAS", "SSIM")
Figures = dict[str, float]


def main(arguments: list[str]) -> int:
    """Train, fuse and measure what is missing, then the section; 1 where there are no scenes."""
    options = _options(arguments)
    places = {place.name: place for place in PLACES}
    wanted = {TEST, *(name for names in TRAININGS.values() for name in names)}
    missing = sorted(name for name in wanted if not places[name].is_here())
    if missing:
        print(f"{', '.join(missing)}: not on this machine")
        return 1
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = {
        name: simulated(places[TEST].load(), RATIO, GUIDE_BANDS, n) for name, n in TESTS.items()
    }
    peers = {name: classical(pair) for name, pair in pairs.items()}
    trained = {}
    for name, scenes in TRAININGS.items():
        stem = name.replace(": ", "-").replace(" ", "-")
        report, model = folder / f"{stem}.json", folder / f"{stem}.safetensors"
        steps = options.steps if name == MAIN else options.curve_steps
        settings = {"steps": steps, "seed": options.seed, "scenes": list(scenes)}
        if not _is_done(report, settings):
            if name not in options.trainings:
                continue
            references = [write_reference(folder, places[scene]) for scene in scenes]
            found = train(model, references, settings)
            figures = {test: fused(folder, model, pair) for test, pair in pairs.items()}
            _write(report, {"settings": settings, "training": found, "tests": figures})
        trained[name] = json.loads(report.read_text(encoding="utf-8"))
        body = section(peers, trained)
        results.save("cave", "CAVE at ×8", body, {"peers": peers, "trained": trained})
        print(body, flush=True)
    return 0


def classical(pair: Pair) -> dict[str, Figures]:
    """The figures of every classical method."""
    return {name: _figures(method(pair), pair) for name, method in CLASSICAL.items()}


def write_reference(folder: Path, place: Place) -> Path:
    """A training scene as a raster with its wavelengths."""
    path = folder / f"{place.name}.tif"
    scene = place.load()
    rasd.write_image(path, scene.cube, 1.0)
    with rasterio.open(path, "r+") as dataset:
        write_spectral(dataset, responses.spectral_of(scene))
    return path


def train(model: Path, references: Sequence[Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Run rasd:train; what it tells, with its seconds."""
    values = {
        "REFERENCES": [str(path) for path in references],
        "RATIO": RATIO,
        "RESPONSE": "table",
        "RESPONSE_FILE": str(responses.NIKON),
        "TRAINING_STEPS": settings["steps"],
        "SEED": settings["seed"],
        "MODEL_OUTPUT": str(model),
    }
    found = qgis("rasd:train", values)
    told = {name: found[name] for name in ("STEPS", "BEST_STEP", "VALIDATION_SHARE")}
    with open(found["LOSS_TABLE"], encoding="ascii", newline="") as table:
        *_, last = csv.DictReader(table)
    return told | {"seconds": float(last["seconds"])}


def fused(folder: Path, model: Path, pair: Pair) -> dict[str, Figures]:
    """Run rasd:fuse with a model on a pair; the figures of what comes out, and of its start."""
    coarse, guide, output, start = (
        folder / f"{name}.tif" for name in ("coarse", "guide", "fused", "start")
    )
    rasd.write_image(coarse, pair.coarse, float(RATIO))
    rasd.write_image(guide, pair.guide, 1.0)
    values = {
        "INPUT_HS": str(coarse),
        "INPUT_MS": str(guide),
        "MODEL": "file",
        "MODEL_FILE": str(model),
        "OUTPUT": str(output),
    }
    qgis("rasd:fuse", values, {START_IMAGE: str(start)})
    made = {"fused": output, "start": start}
    return {name: _figures(rasters.read(path), pair) for name, path in made.items()}


def qgis(
    algorithm: str, values: Mapping[str, Any], variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run an algorithm by tools/qgis_process; its results. CalledProcessError where it fails."""
    command = [sys.executable, str(QGIS_PROCESS), "run", algorithm, "--json", "--"]
    for name, value in values.items():
        command += [f"{name}={one}" for one in (value if isinstance(value, list) else [value])]
    environment = os.environ | dict(variables or {})
    run = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    return dict(json.loads(run.stdout)["results"])


def section(
    peers: Mapping[str, Mapping[str, Figures]], trained: Mapping[str, Mapping[str, Any]]
) -> str:
    """The section in Markdown: what was trained, then a table for every test pair."""
    seed = next(iter(trained.values()))["settings"]["seed"]
    told = (
        f"{TEST} at ×{RATIO}, a guide of the Nikon D700, fused at r = 0.5 by models that "
        f"`rasd:train` made of other crops with the preset “laptop”, seed {seed}. Zero scenes: "
        "what the network starts from."
    )
    parts = [told, _course_table(trained)]
    for test, methods in peers.items():
        start = next(iter(trained.values()))["tests"][test]["start"]
        lines = [[name, *_cells(figures)] for name, figures in methods.items()]
        lines.append(["zero scenes", *_cells(start)])
        for name, report in trained.items():
            label = f"RASD, {name}, {report['settings']['steps']} steps"
            lines.append([label, *_cells(report["tests"][test]["fused"])])
        header = ["method", "PSNR dB", "SAM °", "ERGAS", "SSIM"]
        parts += [f"### Test pair: {test}", results.table(header, lines)]
    return "\n\n".join(parts)


def _course_table(trained: Mapping[str, Mapping[str, Any]]) -> str:
    """How each training went."""
    lines = []
    for name, report in trained.items():
        course = report["training"]
        line = [name, course["STEPS"], course["BEST_STEP"], f"{course['VALIDATION_SHARE']:.3f}"]
        lines.append([*line, f"{course['seconds'] / 60:.0f}"])
    header = ["training", "steps", "kept", "error on pixels kept out, of the start's", "minutes"]
    return results.table(header, lines)


def _cells(figures: Figures) -> list[str]:
    psnr, angle, ergas, ssim = (figures[name] for name in FIGURES)
    return [f"{psnr:.2f}", f"{angle:.3f}", f"{ergas:.3f}", f"{ssim:.4f}"]


def _figures(image: Image, pair: Pair) -> Figures:
    return metrics.all_figures(image, pair.reference, pair.ratio)


def _is_done(report: Path, settings: Mapping[str, Any]) -> bool:
    """Whether the report is there, made with these settings."""
    if not report.is_file():
        return False
    return bool(json.loads(report.read_text(encoding="utf-8"))["settings"] == settings)


def _write(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report, whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cave", description="Train on CAVE and measure it.")
    parser.add_argument("folder", type=Path, help="of models, images and JSON files")
    parser.add_argument("--steps", type=int, default=1800, help="of the training (1800)")
    parser.add_argument("--curve-steps", type=int, default=600, help="of the learning curve (600)")
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--seed", type=int, default=0, help="of each training (0)")
    return parser.parse_args(arguments)
