"""Courses: training a network on lessons by a recipe, in steps that can be stopped and taken up.

Everything random in a step, the crops and what the network drops out, hangs on the seed, the step's
number and, in a team of processes, on the rank. So a training that was stopped at a checkpoint goes
on as if it had not been.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....models import RASDFuNet
from ..scene.checkpoint import (
    adam_state,
    read_checkpoint,
    restore_adam,
    under,
    unusable,
    write_checkpoint,
)
from ..scene.normalise import Units
from ..scene.train import Budget
from ..service.report import Phase
from .curve import Look
from .lessons import Lesson, Subject, Window, kept_lesson, kept_windows, lesson, padded
from .recipe import Recipe
from .team import ALONE, Team

# Steps between two looks at what was kept out, and seconds between two checkpoints at such looks.
INTERVAL = 50
CHECKPOINT_SECONDS = 30.0
VALIDATION_RATIO = 0.5


@dataclass(frozen=True)
class Classroom:
    """What there is to learn. side: of a crop; units: on the device."""

    subjects: list[Subject]
    units: Units
    recipe: Recipe
    side: int
    seed: int
    device: torch.device
    team: Team = ALONE

    def patches(self) -> list[tuple[Subject, Window]]:
        """All crops at the recipe's stride; [] where they are drawn anywhere."""
        if self.recipe.stride is None:
            return []
        return [
            (subject, (row, row + self.side, col, col + self.side))
            for subject in self.subjects
            if subject.area
            for row in _places(subject.area[:2], self.side, self.recipe.stride)
            for col in _places(subject.area[2:], self.side, self.recipe.stride)
        ]


def crop_side(subjects: list[Subject], recipe: Recipe, least: int) -> int:
    """The side of crops: the recipe's, or less where an image is smaller than that."""
    sides = [
        min(s.area[1] - s.area[0], s.area[3] - s.area[2]) for s in subjects if s.area is not None
    ]
    return max(least, min(recipe.side, min(sides) // 8 * 8))


class Course:
    """A network in training, its averaged weights, and the best of them so far."""

    def __init__(self, network: RASDFuNet, room: Classroom) -> None:
        self.network, self.room, self.recipe = network, room, room.recipe
        kind = torch.optim.AdamW if self.recipe.decay else torch.optim.Adam
        self.optimiser = kind(
            network.parameters(), self.recipe.rate, weight_decay=self.recipe.decay, fused=True
        )
        averages = self.recipe.memory > 0
        self.average = copy.deepcopy(network).requires_grad_(False) if averages else network
        self.best = copy.deepcopy(network.state_dict())
        self.step, self.seconds, self.best_step = 0, 0.0, 0
        # Where training begins at the start image, that is what there is to beat.
        self.best_share = 1.0 if self.recipe.zeroed else math.inf
        self.looks: list[Look] = []
        self._patches = room.patches()
        self._areas = torch.tensor([_area(subject.area) for subject in room.subjects])
        self._kept = self._kept_out()
        self._losses: list[Tensor] = []

    def steps_of(self, epochs: int) -> int:
        """The steps of so many epochs, each over all patches once."""
        return epochs * math.ceil(len(self._patches) / self._together)

    @property
    def _together(self) -> int:
        """The crops of a step, over all processes."""
        return self.recipe.batch * self.room.team.size

    def run(
        self, budget: Budget, phase: Phase, save: Callable[[], None], told: Callable[[], None]
    ) -> None:
        """Train until the budget is used. save, told: called after every look."""
        before, began, team = self.seconds, time.monotonic(), self.room.team
        while (share := team.agreed(budget.share(self.step, self.seconds))) < 1.0:
            self._advance(share)
            self.seconds = before + time.monotonic() - began
            ends = budget.share(self.step, self.seconds) >= 1.0
            if team.leads and (ends or self.step % INTERVAL == 0):
                self._look(share)
                told()
                save()
                last = self.looks[-1]
                phase.progress(
                    share, f"step {self.step}, error kept out {last.share:.3f} of the start's"
                )

    def _advance(self, share: float) -> None:
        """One step of Adam on a batch of crops."""
        team = self.room.team
        torch.manual_seed(_mixed(self.room.seed, self.step * team.size + team.rank))
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(share)
        batch = self._batch()
        ratio = self.recipe.routing_ratio
        if ratio is None:
            # One for all: the more is routed low-rank the less time a step takes.
            ratio = team.agreed(float(torch.rand(())))
        self.network.train()
        loss = _l1(self.network, batch, ratio)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        team.average(self.network)
        if self.recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(
                self.network.parameters(), self.recipe.clip, foreach=True
            )
        self.optimiser.step()
        if team.leads:
            self._losses.append(loss.detach())
        if self.recipe.memory:
            keep = min(1 - 1 / self.recipe.memory, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                means, values = self.average.parameters(), self.network.parameters()
                torch._foreach_lerp_(list(means), list(values), 1 - keep)
        self.step += 1

    def _rate(self, share: float) -> float:
        """Cosine annealing over the budget, to nothing."""
        return self.recipe.rate * (1 + math.cos(math.pi * share)) / 2

    @torch.no_grad()
    def _look(self, share: float) -> None:
        """Judge the averaged weights by what was kept out, and remember the best."""
        self.average.eval()
        loss, reference, weight = 0.0, 0.0, 0.0
        for start in range(0, len(self._kept), self.recipe.batch):
            batch = _stacked(self._kept[start : start + self.recipe.batch])
            residual = self.average(batch.components, batch.guide, VALIDATION_RATIO).image
            missed = (residual - batch.components - batch.answer).abs() * batch.weight
            loss += float(missed.sum())
            reference += float((batch.answer.abs() * batch.weight).sum())
            weight += float(batch.weight.sum()) * batch.answer.shape[1]
        found = loss / reference if reference > 0 else 1.0
        training = float(torch.stack(self._losses).mean())
        self._losses = []
        self.looks.append(
            Look(self.step, self.seconds, self._rate(share), training, loss / max(weight, 1), found)
        )
        if found < self.best_share:
            self.best_step, self.best_share = self.step, found
            self.best = copy.deepcopy(self.average.state_dict())

    def _batch(self) -> Lesson:
        recipe, room = self.recipe, self.room
        crops = [
            lesson(subject, room.units, recipe.start, window, room.device)
            for subject, window in self._drawn()
        ]
        crops = [padded(one, room.side) for one in crops]
        if recipe.turned:
            crops = [_turned(one) for one in crops]
        return _stacked(crops)

    def _drawn(self) -> list[tuple[Subject, Window]]:
        """The crops of this step: the epoch's next, or drawn anywhere."""
        if self._patches:
            each = math.ceil(len(self._patches) / self._together)
            epoch, turn = divmod(self.step, each)
            generator = torch.Generator().manual_seed(_mixed(self.room.seed, -1 - epoch))
            order = torch.randperm(len(self._patches), generator=generator).tolist()
            first = turn * self._together
            batch = order[first : first + self._together]
            team = self.room.team
            # At the end of an epoch there may be fewer crops than processes.
            return [self._patches[index] for index in batch[team.rank :: team.size] or batch[:1]]
        chosen = torch.multinomial(self._areas, self.recipe.batch, replacement=True).tolist()
        subjects = [self.room.subjects[index] for index in chosen]
        return [(subject, _window(subject.area, self.room.side)) for subject in subjects]

    def _kept_out(self) -> list[Lesson]:
        room = self.room
        return [
            kept_lesson(subject, room.units, self.recipe.start, window, room.side, room.device)
            for subject, window in kept_windows(room.subjects, room.side)
        ]


class Keepsake:
    """The checkpoint of a course. path: where it stands; mark: tells this training from others."""

    def __init__(self, course: Course, path: Path, run_id: str, mark: str) -> None:
        self.course, self.path, self.run_id, self.mark = course, path, run_id, mark
        self._written = -math.inf

    def save(self) -> None:
        """Write it, where the last one is some time old."""
        if time.monotonic() - self._written < CHECKPOINT_SECONDS:
            return
        course = self.course
        tensors = {f"network.{k}": v for k, v in course.network.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in course.best.items()}
        if course.recipe.memory:
            tensors |= {f"average.{k}": v for k, v in course.average.state_dict().items()}
        moments = adam_state(course.network, course.optimiser)
        tensors |= {f"adam.{k}": v for k, v in moments.items()}
        write_checkpoint(self.path, self.run_id, tensors, self._facts())
        self._written = time.monotonic()

    def restore(self) -> None:
        """Go on where the checkpoint was written; ModelFileError where it is another training's."""
        tensors, facts = read_checkpoint(self.path)
        if facts.get("mark") != self.mark:
            raise unusable(self.path, "is of a training with other images or settings")
        course = self.course
        try:
            course.network.load_state_dict(under(tensors, "network."))
            if course.recipe.memory:
                course.average.load_state_dict(under(tensors, "average."))
            restore_adam(course.network, course.optimiser, under(tensors, "adam."))
            device = course.room.device
            course.best = {k: v.to(device) for k, v in under(tensors, "best.").items()}
            course.step, course.seconds = int(facts["step"]), float(facts["seconds"])
            course.best_step = int(facts["best_step"])
            share = facts["best_share"]
            course.best_share = math.inf if share is None else float(share)
            course.looks = [Look(**look) for look in facts["looks"]]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise unusable(self.path, "is damaged or of another version") from error

    def _facts(self) -> dict[str, Any]:
        course = self.course
        return {
            "mark": self.mark,
            "step": course.step,
            "seconds": course.seconds,
            "best_step": course.best_step,
            "best_share": course.best_share if math.isfinite(course.best_share) else None,
            "looks": [asdict(look) for look in course.looks],
        }


def _l1(network: RASDFuNet, batch: Lesson, ratio: float) -> Tensor:
    """The mean L1 of the residual over the pixels that count."""
    residual = network(batch.components, batch.guide, ratio).image - batch.components
    missed = (residual - batch.answer).abs() * batch.weight
    return missed.sum() / (batch.weight.sum() * batch.answer.shape[1] + 1e-6)


def _stacked(crops: list[Lesson]) -> Lesson:
    return Lesson(*(torch.stack(field) for field in zip(*crops)))


def _turned(one: Lesson) -> Lesson:
    """Turned by a quarter any number of times, and mirrored or not, at random."""
    turns, mirrored = int(torch.randint(4, ())), bool(torch.randint(2, ()))
    images = (torch.rot90(image, turns, (1, 2)) for image in one)
    return Lesson(*(image.flip(2) if mirrored else image for image in images))


def _window(area: Window | None, side: int) -> Window:
    """A crop drawn in an area, or all of a smaller one."""
    row0, row1, col0, col1 = area or (0, 0, 0, 0)
    row = row0 + int(torch.randint(max(row1 - row0 - side, 0) + 1, ()))
    col = col0 + int(torch.randint(max(col1 - col0 - side, 0) + 1, ()))
    return row, min(row + side, row1), col, min(col + side, col1)


def _places(span: tuple[int, ...], side: int, stride: int) -> list[int]:
    """Where crops at a stride begin in a span, the last one at its end."""
    last = max(span[0], span[1] - side)
    return [*range(span[0], last, stride), last]


def _area(area: Window | None) -> float:
    return float((area[1] - area[0]) * (area[3] - area[2])) if area else 0.0


def _mixed(seed: int, number: int) -> int:
    """A seed of its own for each number."""
    return (seed * 1_000_003 + number * 7_919 + 12_345) % (2**63 - 1)
