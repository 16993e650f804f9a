"""Train the model that ships with the plugin: settings from models/pretrained/recipe.json.

    python benchmarks train-bundled FOLDER [--without SENSOR] [--steps N]

Scenes come from ../shared/data. A checkpoint in FOLDER is taken up; log.csv there tells how it went
by the steps, on the training's own crops and on worlds over the validation's scenes. In the end
the model lies in models/pretrained, or in FOLDER where the recipe was changed. --export makes the
model of a checkpoint without training on.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..rasd_qgis.engine.general.lessons import Crops, crops_of, losses
from ..rasd_qgis.engine.general.network import GeneralNetwork
from ..rasd_qgis.engine.learning import worlds
from ..rasd_qgis.engine.learning.pool import Pool
from ..rasd_qgis.engine.learning.world_course import WorldCourse, WorldRecipe
from ..rasd_qgis.engine.model.card import ANY, Card, write_model
from ..rasd_qgis.engine.service.device import versions
from .calibrate import calibrated
from .scenes import Place

RECIPE = Path(__file__).resolve().parents[1] / "models" / "pretrained" / "recipe.json"
# Steps between two lines of the log, and between two checkpoints.
INTERVAL, CHECKPOINT = 500, 500
# Of the validation: worlds over its scenes, batches of crops of them, and the seed.
VALIDATION_WORLDS, VALIDATION_BATCHES, VALIDATION_SEED = 60, 30, 77
VALIDATION_RATIO = 0.5


def main(arguments: list[str]) -> int:
    """Train to the end of the recipe, or go on with it."""
    options = _options(arguments)
    settings = json.loads(RECIPE.read_text(encoding="utf-8"))
    facts = settings["recipe"] | ({"steps": options.steps} if options.steps else {})
    recipe = WorldRecipe(**facts)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scenes = [scene for scene in _scenes(settings["training"]) if scene.sensor != options.without]
    pool = Pool(scenes, worlds.shares_of(scenes), recipe.pool, recipe.seed)
    kept_out = _validation(_scenes(settings["validation"]), recipe)
    folder = without_folder(options.without) if options.without else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    course = WorldCourse(pool, recipe, device)
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists():
        course.go_on_from(checkpoint)
    if not options.export:
        _run(course, kept_out, checkpoint, folder / "log.csv")
    own = not (options.without or options.steps)
    path = (RECIPE.parent if own else folder) / "bundled.safetensors"
    export(course, kept_out, settings, options.without, path)
    return 0


def without_folder(sensor: str) -> Path:
    """Where a training without a sensor's scenes lies."""
    return RECIPE.parents[2] / "build" / f"train-bundled-without-{sensor}"


def export(
    course: WorldCourse,
    kept_out: list[Crops],
    settings: dict[str, Any],
    without: str,
    path: Path,
) -> None:
    """Write the averaged weights as a model file, its told error scaled to the validation's."""
    network = course.average.cpu()
    gain, told = _validated(course, kept_out)
    card = Card(
        shape=network.config.to_dict(),
        hs_bands=0,
        guide_bands=0,
        wavelengths=[],
        ratio=[1.0, 1.0],
        psf_sigma=0.0,
        seed=course.recipe.seed,
        steps=course.step,
        figures={"validation_gain_db": round(gain, 4), "validation_told": round(told, 4)},
        made_by=versions(),
        start=ANY,
        recipe={**asdict(course.recipe), **_names(settings, without)},
    )
    calibration = calibrated(network, _scenes(settings["validation"]))
    write_model(str(path), "bundled", GeneralNetwork(network, calibration), card)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, calibration {calibration.tolist()}")


def _names(settings: dict[str, Any], without: str) -> dict[str, list[str]]:
    """The scenes by their part."""
    return {
        part: [name for name, sensor, _ in settings[part] if sensor != without]
        for part in ("training", "validation")
    }


def _run(course: WorldCourse, kept_out: list[Crops], checkpoint: Path, log: Path) -> None:
    began, seen = time.monotonic(), []
    while course.step < course.recipe.steps:
        seen.append(course.advance())
        if course.step % INTERVAL == 0:
            gain, told = np.mean(seen, axis=0)
            validated = _validated(course, kept_out)
            line = f"{course.step},{time.monotonic() - began:.0f},{gain:.3f},{told:.3f}"
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{line},{validated[0]:.3f},{validated[1]:.3f}\n")
            print(line, *(f"{value:.3f}" for value in validated), flush=True)
            seen = []
        if course.step % CHECKPOINT == 0:
            course.save(checkpoint)


@torch.no_grad()
def _validated(course: WorldCourse, kept_out: list[Crops]) -> Any:
    found = [losses(course.average, crops, VALIDATION_RATIO) for crops in kept_out]
    return np.mean([[float(gain), float(told)] for gain, told in found], axis=0)


def _validation(scenes: list[worlds.Scene], recipe: WorldRecipe) -> list[Crops]:
    pool = Pool(scenes, worlds.shares_of(scenes), VALIDATION_WORLDS, VALIDATION_SEED)
    pool.fill(VALIDATION_WORLDS)
    random = np.random.default_rng(VALIDATION_SEED)
    return [crops_of(pool.lessons(), random, recipe.crops) for _ in range(VALIDATION_BATCHES)]


def _scenes(places: list[list[str]]) -> list[worlds.Scene]:
    found = []
    for name, sensor, file in places:
        cube = Place(name, sensor, "training", file).load().cube
        found.append(worlds.Scene(name, sensor, torch.from_numpy(cube).float()))
    return found


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train-bundled", description="Train the bundled model.")
    parser.add_argument("folder", type=Path, help="of checkpoint, log and weights")
    parser.add_argument("--without", default="", help="a sensor whose scenes are left out")
    parser.add_argument("--export", action="store_true", help="no more training")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    return parser.parse_args(arguments)
