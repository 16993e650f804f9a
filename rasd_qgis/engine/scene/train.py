"""Training on the scene itself, zero-shot: the reduced pair is the lesson, the coarse the answer.

The loss is the L1 of the residual in the scene's own units. A tenth of the coarse rows is kept out
of it; of the weights, averaged over the last steps, those come out that predicted these rows best.
Crops are small and many, because on few pixels the network would learn places by heart. The routing
ratio is drawn at random in every step, so that one set of weights serves all of them and routing by
content. Where a training may be cut short it leaves a checkpoint, and goes on from there as if
nothing had been.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ....models import RASDConfig, RASDFuNet
from ...contract.errors import ModelFileError
from ..service.report import Phase
from .checkpoint import adam_state, read_checkpoint, restore_adam, under, write_checkpoint
from .normalise import Units
from .reduce import Reduced

LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
BATCH = 4
# Steps that the averaged weights remember.
MEMORY = 200
# Steps between two looks at the rows kept out, and how many looks without a gain end the training.
INTERVAL = 25
PATIENCE = 30
# Of the rows, a tenth is kept out, more where that would be too few pixels to judge by.
KEPT_OUT, KEPT_OUT_PIXELS = 0.1, 100
# Weights that do not predict the rows kept out better than the closed form by so much are not kept:
# on NEON's mosaics 6% (x2) and 5% (x4) less error one scale down were 0.66 and 0.27 dB worse at the
# true scale, 9% and 10% less on a CAVE and an AVIRIS pair 0.38 and 0.55 dB better (250 steps).
WORTH = 0.92
# Below so many coarse pixels crops are of the least side the network takes, else of twice that.
FEW_PIXELS = 16_000
VALIDATION_RATIO = 0.5
# Blocks that are looked at.
JUDGED = 4
# Between two checkpoints.
CHECKPOINT_SECONDS = 10.0
_FACTS = ("step", "seconds", "best_step", "best_loss")


@dataclass(frozen=True)
class Budget:
    """How long to train: `steps`, or where that is None, `minutes`."""

    minutes: float
    steps: int | None

    def share(self, step: int, seconds: float) -> float:
        """How much of it is used, 0…1."""
        if self.steps is not None:
            return min(1.0, step / self.steps) if self.steps else 1.0
        return min(1.0, seconds / (60 * self.minutes)) if self.minutes > 0 else 1.0


@dataclass(frozen=True)
class Notes:
    """Where a training leaves its checkpoint, and the run's id."""

    path: Path
    run_id: str


@dataclass(frozen=True)
class Trained:
    """A network and how it came about.

    steps: taken; best_step: the one whose averaged weights are kept. kept_out: (h, w) of each
    block, 1 in the valid pixels of rows kept out; kept_out_loss: L1 there, in the first JUDGED
    blocks, as a share of the closed form's.
    """

    network: RASDFuNet
    steps: int
    best_step: int
    kept_out_loss: float
    seconds: float
    kept_out: list[Tensor]


@dataclass(frozen=True)
class _Lesson:
    """A reduced block in the network's units; weight: (h, w), 1 where the answer counts."""

    start: Tensor
    guide: Tensor
    answer: Tensor
    weight: Tensor
    kept_out: Tensor


def train(
    scene: list[Reduced],
    units: Units,
    budget: Budget,
    seed: int,
    device: torch.device,
    phase: Phase,
    notes: Notes | None = None,
) -> Trained:
    """Train a network on a scene's reduced blocks. The same seed, steps and device repeat it.

    notes: from where it goes on, if there is a checkpoint of this very training, and where it
    leaves one now and then.
    """
    torch.manual_seed(seed)
    least = RASDFuNet.tiling.least
    pixels = sum(int(part.valid.sum()) for part in scene)
    side = least if pixels < FEW_PIXELS else 2 * least
    share = min(0.5, max(KEPT_OUT, KEPT_OUT_PIXELS / max(pixels, 1)))
    lessons = [_lesson(part, units, share, side, device) for part in scene]
    network = RASDFuNet(RASDConfig(units.components, 2 * len(units.guide_mean))).to(device)
    network.start_from_skip()
    with _threads(1 if side == least else torch.get_num_threads()):
        course = _Course(network, lessons, side)
        if notes is not None:
            course.go_on_from(notes.path)
        trained = course.run(budget, phase, notes)
    kept_out = [
        lesson.kept_out.cpu()[: part.valid.shape[0], : part.valid.shape[1]]
        for lesson, part in zip(lessons, scene)
    ]
    return replace(trained, kept_out=kept_out)


class _Course:
    """A network, its averaged weights, and the best of them so far."""

    def __init__(self, network: RASDFuNet, lessons: list[_Lesson], side: int) -> None:
        self.network, self.lessons, self.side = network, lessons, side
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.best = copy.deepcopy(self.average.state_dict())
        self.step, self.seconds, self.best_step, self.best_loss = 0, 0.0, 0, 1.0
        self.means, self.values = list(self.average.parameters()), list(network.parameters())
        areas = torch.tensor([float(lesson.weight.sum()) for lesson in lessons])
        self.areas = areas.clamp_min(1e-3)

    @cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """Made at the first step: making one loads torch's compiler, which takes a second."""
        return torch.optim.AdamW(
            self.network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
        )

    def run(self, budget: Budget, phase: Phase, notes: Notes | None) -> Trained:
        began = noted = time.monotonic() - self.seconds
        while (share := budget.share(self.step, self.seconds)) < 1.0:
            self._step(self.step)
            self.step += 1
            if self.step % INTERVAL == 0:
                self._look(self.step)
                phase.progress(share, f"step {self.step}, error kept out {self.best_loss:.3f}")
                if notes is not None and time.monotonic() - noted >= CHECKPOINT_SECONDS:
                    self.note(notes)
                    noted = time.monotonic()
            self.seconds = time.monotonic() - began
            if self.step - self.best_step >= INTERVAL * PATIENCE:
                break
        if self.step % INTERVAL:
            self._look(self.step)
        self.average.load_state_dict(self.best)
        return Trained(self.average, self.step, self.best_step, self.best_loss, self.seconds, [])

    def note(self, notes: Notes) -> None:
        """Leave a checkpoint; OutputError where it cannot be written."""
        parts = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "adam": adam_state(self.network, self.optimiser),
            "random": _random_state(self.values[0].device),
        }
        tensors = {f"{part}.{key}": t for part, named in parts.items() for key, t in named.items()}
        facts = {key: getattr(self, key) for key in _FACTS}
        write_checkpoint(notes.path, notes.run_id, tensors, facts)

    def go_on_from(self, path: Path) -> None:
        """Take up a checkpoint; without one that can be read, nothing."""
        try:
            tensors, facts = read_checkpoint(path)
        except ModelFileError:
            return
        self.network.load_state_dict(under(tensors, "network."))
        self.average.load_state_dict(under(tensors, "average."))
        self.best = under(tensors, "best.")
        restore_adam(self.network, self.optimiser, under(tensors, "adam."))
        for key in _FACTS:
            setattr(self, key, facts[key])
        _restore_random(under(tensors, "random."))

    def _step(self, step: int) -> None:
        """One step of Adam on a few crops, at a ratio drawn at random."""
        self.network.train()
        start, guide, answer, weight = self._batch()
        ratio = float(torch.rand(()))
        loss = _loss(self.network, start, guide, answer, weight, ratio)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0, foreach=True)
        self.optimiser.step()
        keep = min(1 - 1 / MEMORY, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self.means, self.values, 1 - keep)

    @torch.no_grad()
    def _look(self, step: int) -> None:
        """Remember the averaged weights where they predict the rows kept out best so far."""
        loss, reference = 0.0, 0.0
        for lesson in self.lessons[:JUDGED]:
            start, guide, answer = (x[None] for x in (lesson.start, lesson.guide, lesson.answer))
            fused = self.average(start, guide, VALIDATION_RATIO).image - start
            loss += float(((fused - answer).abs() * lesson.kept_out).sum())
            reference += float((answer.abs() * lesson.kept_out).sum())
        if reference > 0 and loss / reference < min(self.best_loss, WORTH):
            self.best_step, self.best_loss = step, loss / reference
            self.best = copy.deepcopy(self.average.state_dict())

    def _batch(self) -> tuple[Tensor, ...]:
        """Crops (BATCH, …, side, side) of start, guide, answer and weight, turned and mirrored."""
        crops = [self._crop() for _ in range(BATCH)]
        return tuple(torch.stack(field) for field in zip(*crops))

    def _crop(self) -> Iterator[Tensor]:
        lesson = self.lessons[int(torch.multinomial(self.areas, 1))]
        rows, cols = (_window(size, self.side) for size in lesson.weight.shape)
        turns, mirrored = int(torch.randint(4, ())), bool(torch.randint(2, ()))
        for field in (lesson.start, lesson.guide, lesson.answer, lesson.weight[None]):
            crop = torch.rot90(field[:, rows, cols], turns, (1, 2))
            yield crop.flip(2) if mirrored else crop


def _random_state(device: torch.device) -> dict[str, Tensor]:
    """Of torch's generators: the processor's, and that of the card trained on."""
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _restore_random(state: dict[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads: on small crops waking the others costs more than they give."""
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _loss(
    network: RASDFuNet, start: Tensor, guide: Tensor, answer: Tensor, weight: Tensor, ratio: float
) -> Tensor:
    residual = network(start, guide, ratio).image - start
    return ((residual - answer).abs() * weight).sum() / (weight.sum() * answer.shape[1] + 1e-6)


def _window(size: int, side: int) -> slice:
    start = int(torch.randint(max(size - side, 0) + 1, ()))
    return slice(start, start + min(side, size))


def _lesson(part: Reduced, units: Units, share: float, least: int, device: torch.device) -> _Lesson:
    """The block in the network's units, its last pixels repeated until a crop fits in."""
    start, guide = units.start(part.start), units.guide(part.guide, part.detail)
    answer = units.residual_of(part.target - part.start)
    kept_out = torch.zeros_like(part.valid)
    height = part.valid.shape[0]
    # Single rows all over the block: one strip of it may show ground that the rest does not.
    period = min(height, round(1 / share))
    kept_out[int(torch.randint(period, ())) :: period] = True
    weights = torch.stack((part.valid & ~kept_out, part.valid & kept_out)).float()
    down, right = (max(0, least - size) for size in part.valid.shape)
    padded = [
        F.pad(image[None], (0, right, 0, down), mode="replicate")[0].to(device)
        for image in (start, guide, answer)
    ]
    weights = F.pad(weights, (0, right, 0, down)).to(device)
    return _Lesson(*padded, *weights)
