"""Routing and number of terms by content, against fixed ones on the same budget.

    python benchmarks adaptive FOLDER [--steps 150] [--demo-steps 200] [--seeds 0 1 2]

On CAVE the network is trained from a bicubic start at ×8 on two crops and tested on a third, as in
the ablations but smaller; on the demo's pair `rasd:fuse`'s own engine trains on the scene. What
lies in FOLDER already with the same settings is not made again. One thread: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models import RASDConfig, RASDFuNet
from . import adaptive_report, bench_ablation, metrics, pairs
from .bench_ablation import Course, Example, batch, load
from .rasd import Fusion, Settings
from .stopping import Stopping, put_into

SIDE = 32
RATE = 2e-3
TERMS = 4
FIXED = (0.0, 0.5, 0.9)
LEAST = (0.0, 0.5)
REPEATS = 3


@dataclass(frozen=True)
class Training:
    """auto: every second step routes by content; terms: K, with `stops` the most of them."""

    name: str
    auto: bool = False
    terms: int = 2
    stops: bool = False


FIXED_RATIO = Training("drawn ratios")
BY_CONTENT = Training("by content", auto=True)
MORE_TERMS = Training(f"drawn ratios, K = {TERMS}", terms=TERMS)
STOPPING = Training(f"drawn ratios, K ≤ {TERMS}", terms=TERMS, stops=True)
TRAININGS = {
    "cave": (FIXED_RATIO, BY_CONTENT, MORE_TERMS, STOPPING),
    "demo": (FIXED_RATIO,),
}
# How a trained network is used: at a ratio, fixed or by content, to an image and its figures.
Use = Callable[[float, bool], "dict[str, float]"]


def main(arguments: list[str]) -> int:
    """Make what is missing, then the tables."""
    options = _options(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    steps = {"cave": options.steps, "demo": options.demo_steps}
    for seed in options.seeds:
        for scene, trainings in TRAININGS.items():
            for training in trainings:
                _make(options.folder, scene, training, steps[scene], seed)
    adaptive_report.write(options.folder)
    return 0


def _make(folder: Path, scene: str, training: Training, steps: int, seed: int) -> None:
    """Train, use and write one run's file, where it is not there with these settings."""
    path = folder / f"{scene}--{training.name.replace(' ', '-')}--{seed}.json"
    settings = {"scene": scene, "steps": steps}
    if path.is_file() and json.loads(path.read_text(encoding="utf-8"))["settings"] == settings:
        return
    runs = {"cave": run_on_cave, "demo": run_on_demo}
    report = {
        "settings": settings,
        "training": training.name,
        "seed": seed,
        **runs[scene](training, steps, seed),
    }
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
    print(scene, training.name, seed, report["uses"], flush=True)


def run_on_cave(training: Training, steps: int, seed: int) -> dict[str, Any]:
    """Train on CAVE's two crops and use on the third."""
    lessons, exam = load("cave")
    torch.manual_seed(seed)
    bands = exam.start.shape[1], exam.guide.shape[1]
    network = RASDFuNet(RASDConfig(*bands, terms=training.terms))
    network.start_from_skip()
    stopping = put_into(network) if training.stops else []
    began = time.process_time()
    train(network, training.auto, Course("cave", steps, seed, side=SIDE, rate=RATE), lessons)
    seconds = time.process_time() - began

    def use(ratio: float, auto: bool) -> dict[str, float]:
        with torch.inference_mode():
            spent, fused = _timed(lambda: network(exam.start, exam.guide, ratio, auto))
        found = {**_figures(fused.image[0], exam.target[0], bench_ablation.RATIO)}
        return {**found, "share": fused.low_rank_share, "seconds": spent}

    network.eval()
    # Routing by content is compared at the published K alone.
    uses = used(use, LEAST if training.terms == 2 else ())
    return {"seconds": seconds, "uses": uses, "kept": _kept(stopping, lambda: use(0.5, False))}


def train(network: RASDFuNet, auto: bool, course: Course, lessons: Sequence[Example]) -> None:
    """Train by L1 at ratios drawn at random; auto: every second step by content above them."""
    random = np.random.default_rng(course.seed)
    optimiser = torch.optim.Adam(network.parameters(), course.rate)
    annealed = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, course.steps)
    network.train()
    for step in range(course.steps):
        start, guide, target = batch(lessons, course, random)
        ratio = float(random.random())
        by_content = auto and step % 2 == 1
        image = network(start, guide, ratio**2 if by_content else ratio, by_content).image
        optimiser.zero_grad(set_to_none=True)
        F.l1_loss(image, target).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        annealed.step()


def run_on_demo(training: Training, steps: int, seed: int) -> dict[str, Any]:
    """The demo's pair through the engine, which trains on the scene at drawn ratios."""
    pair = pairs.Wanted("demo", pairs.indian_pines.RATIO, 10).make().pairs[0]
    mode = {False: "fixed", True: "auto"}
    with tempfile.TemporaryDirectory(prefix="rasd-bench-") as folder:
        fusion = Fusion(pair, "scene", Settings(steps, seed), Path(folder))
        fusion.fuse(0.5)
        seconds = fusion.results["TRAINING_SECONDS"]

        def use(ratio: float, auto: bool) -> dict[str, float]:
            spent, image = _timed(lambda: fusion.fuse(ratio, mode[auto]))
            found = _figures(torch.from_numpy(image), torch.from_numpy(pair.reference), pair.ratio)
            return {**found, "share": fusion.results["LOW_RANK_SHARE"], "seconds": spent}

        return {"seconds": seconds, "uses": used(use), "kept": None}


def used(use: Use, least_shares: Sequence[float] = LEAST) -> dict[str, dict[str, float]]:
    """At fixed ratios, by content above least shares, and fixed at the share that content took."""
    uses = {f"r = {ratio:g}": use(ratio, False) for ratio in FIXED}
    for least in least_shares:
        by_content = use(least, True)
        uses[f"auto, r ≥ {least:g}"] = by_content
        uses[f"r = share of auto, r ≥ {least:g}"] = use(by_content["share"], False)
    return uses


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The least seconds of processor of a few calls, and what the last returned."""
    spent = []
    for _ in range(REPEATS):
        began = time.process_time()
        result = call()
        spent.append(time.process_time() - began)
    return min(spent), result


def _figures(image: Tensor, reference: Tensor, ratio: int) -> dict[str, float]:
    found = metrics.all_figures(image.double().numpy(), reference.double().numpy(), ratio)
    return {name: found[name] for name in ("PSNR", "SAM")}


def _kept(stopping: Sequence[Stopping], use: Callable[[], Any]) -> list[float] | None:
    """Terms kept by each module, stage by stage the full scale and then the eighth."""
    if not stopping:
        return None
    use()
    return [float(part.kept.float().mean()) for part in stopping]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="adaptive", description="By content against fixed.")
    parser.add_argument("folder", type=Path, help="of the JSON files, one a training")
    parser.add_argument("--steps", type=int, default=150, help="of a training on CAVE")
    parser.add_argument("--demo-steps", type=int, default=200, help="of one on the demo's pair")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args(arguments)
