"""Training a model for two sensors: from images whose fusion is known to a model file.

gather → survey → units → network → course (lessons, looks, checkpoints) → model file. Where
torchrun started several engines on one request, they train one network together (`team.py`).
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ....models import RASDConfig, RASDFuNet
from ...contract.errors import InputError
from ...contract.request import TrainRequest
from ..model.card import Card, model_hash, write_model
from ..model.obtain import response
from ..rasters.formats import check_folder
from ..rasters.view import Side
from ..scene.checkpoint import checkpoint_path
from ..scene.network import SceneNetwork
from ..scene.normalise import Units, fit
from ..scene.reduce import Reduced, gains
from ..scene.start import CUBIC, guide_channels, plain_units
from ..scene.survey import Block, survey
from ..scene.train import Budget
from ..sensors.psf import Blur
from ..service.device import choose_device, versions
from ..service.report import Phase, Reporter
from .course import Classroom, Course, Keepsake, crop_side
from .curve import write_curve
from .lessons import Subject, sample, split, spread_windows
from .material import gather
from .recipe import Recipe, recipe_of
from .team import ALONE, Team, take_card, team
from .wald import WaldPair

# Units are fitted to windows of this side, over all images at most so many bytes of them.
SAMPLE_SIDE = 96
SAMPLE_BYTES = 256 * 2**20
# Of a component, in misses. What hardly varies in the images trained on may vary far more in
# others, where the network then is shown what it never saw: trained on one CAVE crop with all
# components it gave no numbers on another, with these it came nearest to what it starts from.
LEAST_SPREAD = 1.0


def train(request: TrainRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    check_folder(request.model_output, _inputs(request), request.run_id)
    take_card()
    device, recipe = choose_device(request.device, reporter), recipe_of(request.preset)
    with ExitStack() as stack:
        crew = stack.enter_context(team(device))
        reading = reporter.phase("reading", 0.0, 0.02)
        pairs, blur = gather(request, recipe, stack, reporter)
        reading.progress(1.0)
        study = prepare(pairs, blur.sigma, recipe, request.seed, reporter)
        course = _course(study, recipe, request.seed, device, crew)
        keepsake = _keepsake(course, pairs, blur, request)
        _begin(course, keepsake, request, reporter)
        _run(course, keepsake, request, reporter.phase("training", 0.1, 0.99))
    if not crew.leads:
        return {"STEPS": course.step, "DEVICE": str(device)}
    model, card = _result(course, study, pairs, blur, request)
    write_model(request.model_output, request.run_id, model, card)
    keepsake.path.unlink(missing_ok=True)
    _tell(course, reporter)
    return {
        "MODEL_HASH": model_hash(model),
        "STEPS": course.step,
        "BEST_STEP": course.best_step,
        "VALIDATION_SHARE": course.best_share,
        "TRAINING_SECONDS": course.seconds,
        "IMAGES": len(pairs),
        "DEVICE": str(device),
    }


@dataclass(frozen=True)
class Study:
    """What the images told before any training: subjects, units, and (1 + K, b) their response."""

    subjects: list[Subject]
    units: Units
    response: Tensor


def prepare(
    pairs: list[WaldPair], sigma: float, recipe: Recipe, seed: int, reporter: Reporter
) -> Study:
    """Survey every image, and fit the units to all that is trained on."""
    phase = reporter.phase("surveying", 0.02, 0.1)
    good = _good([pair.hs for pair in pairs])
    subjects, blocks = [], []
    for number, pair in enumerate(pairs):
        found = survey(pair, sigma)
        injection = gains(found, pair.rows, pair.cols, sigma, good)
        area, kept = split(number, len(pairs), pair.fine.shape, seed)
        subjects.append(Subject(pair, injection, sigma, area, kept))
        blocks.append(found[len(found) // 2])
        phase.progress((number + 1) / len(pairs) / 2, pair.name)
    units = _units(subjects, recipe, good, phase)
    return Study(subjects, units, response(_pooled(blocks), units))


def _units(subjects: list[Subject], recipe: Recipe, good: Tensor, phase: Phase) -> Units:
    """The units of all images together: the paper's, or those of their components."""
    areas = [(subject, subject.area) for subject in subjects if subject.area]
    first = subjects[0].pair
    channels = 2 * first.hs.count + 2 * first.ms.count
    each = max(1, SAMPLE_BYTES // (4 * channels * SAMPLE_SIDE**2) // len(areas))
    scene: list[Reduced] = []
    for number, (subject, area) in enumerate(areas):
        scene += [sample(subject, one) for one in spread_windows(area, SAMPLE_SIDE, each)]
        phase.progress(0.5 + (number + 1) / len(areas) / 2, subject.pair.name)
    scene = [part for part in scene if bool(part.valid.any())]
    if not scene:
        raise InputError(
            "No pixel is valid in what was given to train on.",
            "Check the nodata settings of the layers.",
        )
    if recipe.start != CUBIC:
        return fit(scene, good, LEAST_SPREAD)
    greatest = max(float(part.target[:, part.valid][good].max()) for part in scene)
    return plain_units(good, greatest if greatest > 0 else 1.0, first.ms.count)


def _course(
    study: Study, recipe: Recipe, seed: int, device: torch.device, crew: Team = ALONE
) -> Course:
    """The course of a fresh network."""
    torch.manual_seed(seed)
    bands = guide_channels(recipe.start, len(study.units.guide_mean))
    network = RASDFuNet(RASDConfig(study.units.components, bands)).to(device)
    if recipe.zeroed:
        network.start_from_skip()
    side = crop_side(study.subjects, recipe, RASDFuNet.tiling.least)
    units = study.units.to(device)
    return Course(network, Classroom(study.subjects, units, recipe, side, seed, device, crew))


def _keepsake(course: Course, pairs: list[WaldPair], blur: Blur, request: TrainRequest) -> Keepsake:
    """The course's checkpoint, marked by all that the weights hang on but the budget."""
    images = [[pair.name, *pair.fine.shape, pair.size] for pair in pairs]
    names = ("preset", "seed", "phase", "response", "sensor", "table", "bands", "random_bands")
    settings = [getattr(request, name) for name in names]
    facts = [images, settings, request.sensor_ratio, asdict(blur), course.recipe.facts()]
    if course.room.team.size > 1:
        facts.append(course.room.team.size)
    mark = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return Keepsake(course, checkpoint_path(request.model_output), request.run_id, mark)


def _begin(course: Course, keepsake: Keepsake, request: TrainRequest, reporter: Reporter) -> None:
    """Go on at a checkpoint where there is one and it is wanted."""
    if not keepsake.path.exists():
        return
    if not request.resume:
        reporter.log("The checkpoint of an earlier training is left, and training begins anew.")
        return
    keepsake.restore()
    reporter.log(f"Training goes on at step {course.step}, from {keepsake.path.name}.")


def _run(course: Course, keepsake: Keepsake, request: TrainRequest, phase: Phase) -> None:
    def told() -> None:
        write_curve(request.model_output, request.run_id, course.looks)

    course.run(_budget(course, request), phase, keepsake.save, told)


def _budget(course: Course, request: TrainRequest) -> Budget:
    """The steps or minutes asked for, or the recipe's."""
    if request.steps is not None or request.minutes is not None:
        return Budget(request.minutes or 0.0, request.steps)
    epochs, minutes = course.recipe.epochs, course.recipe.minutes
    return Budget(minutes or 0.0, None if epochs is None else course.steps_of(epochs))


def _result(
    course: Course, study: Study, pairs: list[WaldPair], blur: Blur, request: TrainRequest
) -> tuple[SceneNetwork, Card]:
    """The best weights as a model, and its card."""
    network = course.average.eval().requires_grad_(False).cpu()
    network.load_state_dict(course.best)
    recipe, first = course.recipe, pairs[0]
    injection = study.subjects[0].gains
    model = SceneNetwork(
        network,
        study.units,
        torch.zeros_like(injection) if recipe.start == CUBIC else injection,
        study.response,
        recipe.start,
    )
    figures = {"best_step": course.best_step, "kept_out_loss": course.best_share}
    card = Card(
        shape=network.config.to_dict(),
        hs_bands=first.hs.count,
        guide_bands=first.ms.count,
        wavelengths=list(first.hs.spectral.wavelengths),
        ratio=[first.rows.ratio, first.cols.ratio],
        psf_sigma=blur.sigma,
        seed=request.seed,
        steps=course.step,
        figures=figures,
        made_by={**versions(), **request.provenance},
        start=recipe.start,
        recipe={
            **recipe.facts(),
            "trained_on": [pair.name for pair in pairs],
            "kept_out": [s.pair.name for s in study.subjects if s.area is None],
            "crop_side": course.room.side,
            "processes": course.room.team.size,
            "seconds": round(course.seconds, 1),
            "psf_reach": blur.reach,
            "phase": request.phase,
            "response": request.sensor if request.response == "sensor" else request.response,
            "guide_bands": list(first.ms.spectral.names),
        },
    )
    return model, card


def _tell(course: Course, reporter: Reporter) -> None:
    reporter.log(
        f"Trained {course.step} steps in {course.seconds:.0f} s; kept the weights of step "
        f"{course.best_step}, whose error on the pixels kept out of training is "
        f"{course.best_share:.3f} of the start image's."
    )
    if not course.best_step:
        reporter.warn(
            "The network found nothing to add to what it starts from; train longer, or on more "
            "images."
        )
    elif course.best_share >= 1.0:
        reporter.warn(
            "The model is worse than the image it starts from, as this preset begins from nothing; "
            "train it longer, or use the preset “laptop”."
        )


def _inputs(request: TrainRequest) -> list[str]:
    sources = (*request.references, *request.hyperspectral, *request.multispectral)
    paths = [source.path for source in sources]
    return [*paths, request.table] if request.table else paths


def _good(sides: list[Side]) -> Tensor:
    """Bands that are good in every image, (B,) bool."""
    return torch.stack([torch.from_numpy(side.good) for side in sides]).all(0)


def _pooled(blocks: list[Block]) -> list[Block]:
    """At most sixteen blocks, spread over the images: enough to tell a response."""
    step = max(1, len(blocks) // 16)
    return blocks[::step][:16]
