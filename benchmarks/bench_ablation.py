"""The ablations: every variant of the network trained alike, with several seeds.

    python benchmarks ablation FOLDER [--scenes cave] [--steps 1000] [--seeds 0 1 2] [--side 64] ...

The paper's protocol in small: ×8, bicubic start, L1, Adam at 4e-4 with cosine annealing, patches of
64 × 64, and a stated number of steps that is the same for all. Fewer steps, smaller patches and a
greater rate make a shorter benchmark, and a table of its own. Runs of a seed are a pair: they see
the same crops, what they have in common starts with the same weights, and their differences are
what is told. A third of each training scene is kept out, to be tested on beside another scene.

What lies in FOLDER already with the same settings is not made again, so it can be stopped and taken
up; a run takes minutes. Two cores are used best by two of these at once, with seeds of their own
and OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..models import RASDFuNet
from . import ablation_report, metrics, responses
from .ablations import VARIANTS, Variant, fresh
from .degrade import apply_response, blur_and_decimate
from .peers import cubic
from .scenes import PLACES

Image = NDArray[np.float64]

RATIO = 8
SIDE = 64
BATCH = 4
LEARNING_RATE = 4e-4
# What a run is tested on: columns of its training scenes, and another scene where there is one.
KEPT_OUT, NEW_SCENE = "kept_out", "new_scene"
# Set of scenes -> guide bands, scenes to train on, and the one to test on.
SETS = {
    "cave": (3, ("cave-feathers", "cave-toy"), "cave-balloons"),
    "indian-pines": (10, ("indian-pines",), "indian-pines"),
}
# How variants begin, for the table's title.
SHARED = "what variants share starts alike, at the start image"
# The columns of a training scene from here on are kept for the test.
CUT = 96


@dataclass(frozen=True)
class Example:
    """start: (1, B, H, W), the upsampled image; guide: (1, b, H, W); target: (1, B, H, W); 0…1."""

    start: Tensor
    guide: Tensor
    target: Tensor


Exams = dict[str, list[Example]]


@dataclass(frozen=True)
class Course:
    """The settings of a run, which all variants share."""

    scenes: str
    steps: int
    seed: int
    batch: int = BATCH
    side: int = SIDE
    rate: float = LEARNING_RATE


def main(arguments: list[str]) -> int:
    """Make what is missing, then the table."""
    options = _options(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = [
        variant
        for variant in VARIANTS
        if any(fnmatch.fnmatch(variant.name, pattern) for pattern in options.variants)
    ]
    here = {place.name for place in PLACES if place.is_here()}
    for name in options.scenes:
        _, training, test = SETS[name]
        if not {*training, test} <= here:
            print(f"{name}: not on this machine, left out")
            continue
        lessons, exams = parted(name)
        # Seed by seed, so that a run that is stopped holds every variant alike.
        for seed in options.seeds:
            for variant in chosen:
                course = Course(
                    name, options.steps, seed, options.batch, options.side, options.rate
                )
                if not is_done(options.folder, variant, course):
                    report = run(variant, course, lessons, exams)
                    write(options.folder, variant, course, report)
                    _tell(options.folder, variant, course)
    ablation_report.write(options.folder)
    return 0


def load(name: str) -> tuple[list[Example], Example]:
    """Whole scenes to train on, and what to test on; one scene alone is cut in two."""
    _, training, test = SETS[name]
    if test in training:
        lessons, exams = parted(name)
        return lessons, exams[KEPT_OUT][0]
    made = _scenes(name)
    return [example(*made[one]) for one in training], example(*made[test])


def parted(name: str) -> tuple[list[Example], Exams]:
    """What to train on, and what to test on: columns kept out, and a new scene if there is one."""
    _, training, test = SETS[name]
    made = _scenes(name)
    trained = [made[one] for one in training]
    lessons = [example(cube[:, :, :CUT], response) for cube, response in trained]
    kept = [example(cube[:, :, CUT:], response) for cube, response in trained]
    exams = {KEPT_OUT: kept}
    return lessons, exams if test in training else exams | {NEW_SCENE: [example(*made[test])]}


def _scenes(name: str) -> dict[str, tuple[Image, Image]]:
    """Every scene of a set, 0…1, with the response of its guide."""
    bands, training, test = SETS[name]
    places = {place.name: place for place in PLACES}
    made = {}
    for one in {*training, test}:
        scene = places[one].load()
        made[one] = scene.cube / scene.cube.max(), responses.guide(scene, bands).weights
    return made


def example(cube: Image, response: Image) -> Example:
    """A reference (B, H, W) seen by both sensors, without noise."""
    start = cubic.upsample(blur_and_decimate(cube, RATIO), RATIO)
    images = (start, apply_response(cube, response), cube)
    return Example(*(torch.from_numpy(image).float()[None] for image in images))


def run(
    variant: Variant, course: Course, lessons: Sequence[Example], exams: Exams
) -> dict[str, Any]:
    """Train a variant and test it."""
    one = lessons[0]
    network = fresh(variant, course.seed, one.target.shape[1], one.guide.shape[1])
    began = time.perf_counter()
    loss = train(network, variant.ratio, course, lessons)
    seconds = time.perf_counter() - began
    return {
        "variant": variant.name,
        "published": variant.published,
        "settings": identity(course),
        "seed": course.seed,
        "millions": sum(weights.numel() for weights in network.parameters()) / 1e6,
        "loss": loss,
        "seconds": round(seconds, 1),
        **{name: figures(network, variant.ratio, images) for name, images in exams.items()},
    }


@torch.inference_mode()
def figures(network: RASDFuNet, ratio: float, exam: Sequence[Example]) -> dict[str, float]:
    """The figures over the images of an exam, as if they were one."""
    network.eval()
    fused = [network(one.start, one.guide, ratio).image[0].double().numpy() for one in exam]
    references = [one.target[0].double().numpy() for one in exam]
    return metrics.pooled_figures(fused, references, RATIO)


def train(network: RASDFuNet, ratio: float, course: Course, lessons: Sequence[Example]) -> float:
    """Train for the course's steps; the mean L1 of the last tenth of them."""
    # The crops hang on the seed alone, so that every variant sees the same.
    random = np.random.default_rng(course.seed)
    optimiser = torch.optim.Adam(network.parameters(), course.rate)
    annealed = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, course.steps)
    losses = []
    network.train()
    for step in range(course.steps):
        start, guide, target = batch(lessons, course, random)
        # What is dropped out hangs on seed and step, not on what a variant drew before.
        torch.manual_seed(course.seed * course.steps + step)
        loss = F.l1_loss(network(start, guide, ratio).image, target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        annealed.step()
        losses.append(loss.item())
    last = losses[-max(1, math.ceil(course.steps / 10)) :]
    return sum(last) / len(last)


def batch(
    lessons: Sequence[Example], course: Course, random: np.random.Generator
) -> tuple[Tensor, ...]:
    """Crops (batch, …, side, side) of start, guide and target, turned and mirrored at random."""
    crops = [
        _crop(lessons[int(random.integers(len(lessons)))], course.side, random)
        for _ in range(course.batch)
    ]
    return tuple(torch.cat(images) for images in zip(*crops))


def _crop(lesson: Example, side: int, random: np.random.Generator) -> tuple[Tensor, ...]:
    height, width = lesson.target.shape[2:]
    row, col = (int(random.integers(size - side + 1)) for size in (height, width))
    turns, mirrored = int(random.integers(4)), bool(random.integers(2))
    images = []
    for image in (lesson.start, lesson.guide, lesson.target):
        crop = torch.rot90(image[..., row : row + side, col : col + side], turns, (2, 3))
        images.append(crop.flip(3) if mirrored else crop)
    return tuple(images)


def identity(course: Course) -> dict[str, Any]:
    """What a run hangs on, but its variant and seed."""
    return {
        "scenes": course.scenes,
        "steps": course.steps,
        "batch": course.batch,
        "side": course.side,
        "learning_rate": course.rate,
        "trained_on": f"{CUT} columns a scene",
        "weights": SHARED,
    }


def place(folder: Path, variant: Variant, course: Course) -> Path:
    """The file of a run."""
    name = re.sub(r"[^a-zA-Z0-9.]+", "-", variant.name).strip("-")
    size = f"{course.steps}x{course.side}"
    return folder / f"{course.scenes}--{name}--{size}--{course.seed}.json"


def is_done(folder: Path, variant: Variant, course: Course) -> bool:
    """Whether the file is there, made with these settings."""
    path = place(folder, variant, course)
    if not path.is_file():
        return False
    return bool(json.loads(path.read_text(encoding="utf-8"))["settings"] == identity(course))


def write(folder: Path, variant: Variant, course: Course, report: dict[str, Any]) -> None:
    """Write a run's file, whole or not at all."""
    path = place(folder, variant, course)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _tell(folder: Path, variant: Variant, course: Course) -> None:
    report = json.loads(place(folder, variant, course).read_text(encoding="utf-8"))
    told = [
        f"{name} {report[name]['PSNR']:.2f} dB {report[name]['SAM']:.3f}°"
        for name in (KEPT_OUT, NEW_SCENE)
        if name in report
    ]
    print(
        f"{course.scenes} seed {course.seed} {variant.name:42} {', '.join(told)}, "
        f"{report['seconds']:.1f} s",
        flush=True,
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ablation", description="Train every variant alike.")
    parser.add_argument("folder", type=Path, help="of the JSON files, one a run")
    parser.add_argument("--scenes", nargs="+", choices=SETS, default=["cave"])
    parser.add_argument(
        "--variants", nargs="+", default=["*"], help="patterns of their names (all)"
    )
    parser.add_argument("--steps", type=int, default=1000, help="of training, the same for all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batch", type=int, default=BATCH, help="patches a step (4)")
    parser.add_argument("--side", type=int, default=SIDE, help="of a patch, a multiple of 8 (64)")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="of Adam (4e-4)")
    return parser.parse_args(arguments)
