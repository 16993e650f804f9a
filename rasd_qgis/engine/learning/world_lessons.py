"""World lessons: a world as the general network is told of it, what it should answer, and crops.

A `Pool` holds the worlds of the moment, one replaced every few steps, so that few fit in memory and
many are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..general.study import GUIDE, Study
from ..general.told import brightness, given, tell
from ..scene.reduce import Block
from .disagreement import Random
from .worlds import Scene, World, draw

# Beyond so many expected errors, and so much squared error outside the components, none is told.
MOST_ANSWER, MOST_REST = 60.0, 6e4
# A world is drawn as often as it has pixels, between these.
FEWEST_PIXELS, MOST_PIXELS = 1024, 6000


class WorldLesson(NamedTuple):
    """float16 but for error: (k,). image: (k, H, W), changes: (k, C, H, W), shared: (S, H, W) and
    facts: (k, F), as in `told`. answer: (k, H, W) in expected errors; rest: (H, W) squared error
    outside the components, in units; brightness: (H, W).
    """

    image: Tensor
    changes: Tensor
    shared: Tensor
    facts: Tensor
    answer: Tensor
    rest: Tensor
    brightness: Tensor
    error: Tensor

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.rest.numel()


class Crops(NamedTuple):
    """P worlds, c components of each, s × s pixels. start: (P·c, A, s, s) and guide: (P·c, G, s, s)
    as the network takes them; image, answer: (P, c, s, s); changes: (P, c, C, s, s); weight, rest,
    brightness: (P, s, s); error: (P, c); share: (P,) of all components that the c stand for.
    """

    start: Tensor
    guide: Tensor
    image: Tensor
    changes: Tensor
    answer: Tensor
    weight: Tensor
    rest: Tensor
    brightness: Tensor
    error: Tensor
    share: Tensor


@dataclass(frozen=True)
class CropShape:
    """worlds and components of a batch; side in fine pixels."""

    worlds: int
    components: int
    side: int


def lesson_of(world: World) -> WorldLesson:
    """The lesson of a world, all of it."""
    seen = world.look.down(world.guide)
    whole = torch.ones(world.coarse.shape[1:], dtype=torch.bool)
    blocks = [Block(world.coarse, seen, whole)]
    good = torch.ones(len(world.coarse), dtype=torch.bool)
    study = Study.of(blocks, world.axis, world.axis, world.sigma, good)
    told = tell(study, world.coarse, world.guide, world.look)
    missing = world.truth - told.start
    answer = study.in_errors(missing)
    in_units = (missing / study.unit[:, None, None]).square().sum(0)
    inside = (answer * study.error[:, None, None]).square().sum(0)
    rest = (in_units - inside).clamp(0.0, MOST_REST)
    kept = (
        told.image,
        told.changes,
        told.shared,
        told.facts,
        answer.clamp(-MOST_ANSWER, MOST_ANSWER),
        rest,
        brightness(study, told.start),
    )
    image, changes, shared, facts, truth, others, bright = (field.half() for field in kept)
    return WorldLesson(image, changes, shared, facts, truth, others, bright, study.error)


class Pool:
    """The worlds of the moment: number n stands where n - size stood.

    Which worlds there are hangs on seed, size and how many were drawn, on nothing else.
    """

    def __init__(self, scenes: Sequence[Scene], shares: np.ndarray, size: int, seed: int) -> None:
        self._scenes, self._shares, self._seed = list(scenes), shares, seed
        self._lessons: list[WorldLesson | None] = [None] * size
        self._drawn = 0

    def fill(self, drawn: int) -> None:
        """Bring it to where so many worlds have been drawn."""
        size = len(self._lessons)
        for number in range(max(self._drawn, drawn - size), drawn):
            self._lessons[number % size] = self._made(number)
        self._drawn = drawn

    def lessons(self) -> list[WorldLesson]:
        """All that it holds."""
        return [one for one in self._lessons if one is not None]

    def _made(self, number: int) -> WorldLesson | None:
        random = np.random.default_rng([self._seed, number])
        made = lesson_of(draw(random, self._scenes, self._shares))
        sound = all(bool(field.isfinite().all()) for field in made)
        return made if sound else None


def crops_of(lessons: list[WorldLesson], random: Random, shape: CropShape) -> Crops:
    """A batch, drawn at random, its components' signs and the guide's order too."""
    areas = np.array([min(max(one.pixels, FEWEST_PIXELS), MOST_PIXELS) for one in lessons], float)
    chosen = random.choice(len(lessons), shape.worlds, p=areas / areas.sum())
    parts = [_crop(lessons[index], random, shape) for index in chosen]
    image, changes, shared, facts, *others = (torch.stack(field) for field in zip(*parts))
    start, guide = given(*(field.flatten(0, 1) for field in (image, changes, shared, facts)))
    return Crops(start, guide, image, changes, *others)


def _crop(lesson: WorldLesson, random: Random, shape: CropShape) -> tuple[Tensor, ...]:
    """One world: as `Crops`, but shared and facts in place of what the network takes."""
    height, width = lesson.rest.shape
    row, col = (int(random.integers(0, max(n - shape.side, 0) + 1)) for n in (height, width))
    count = len(lesson.error)
    which = torch.from_numpy(random.permutation(count)[: shape.components])
    which = which.repeat(-(-shape.components // len(which)))[: shape.components]
    turns, mirrored = int(random.integers(0, 4)), bool(random.random() < 0.5)
    signs = _signs(random, shape.components)

    def cut(image: Tensor) -> Tensor:
        part = image[..., row : row + shape.side, col : col + shape.side].float()
        part = torch.rot90(_padded(part, shape.side), turns, (-2, -1))
        return part.flip(-1) if mirrored else part

    weight = torch.zeros(shape.side, shape.side)
    weight[: min(height, shape.side), : min(width, shape.side)] = 1.0
    weight = torch.rot90(weight, turns)
    shared = cut(lesson.shared)
    order, guide_signs = torch.from_numpy(random.permutation(GUIDE)), _signs(random, GUIDE)
    shown = [shared[i : i + GUIDE][order] * guide_signs for i in (0, GUIDE)]
    shared = torch.cat((*shown, shared[2 * GUIDE :]))
    return (
        cut(lesson.image[which]) * signs,
        cut(lesson.changes[which]) * signs[:, None],
        shared.expand(shape.components, -1, -1, -1),
        lesson.facts[which].float(),
        cut(lesson.answer[which]) * signs,
        weight.flip(-1) if mirrored else weight,
        cut(lesson.rest),
        cut(lesson.brightness),
        lesson.error[which],
        torch.tensor(count / shape.components),
    )


def _padded(image: Tensor, side: int) -> Tensor:
    """(…, H, W) with its last pixels repeated to side × side."""
    height, width = image.shape[-2:]
    if (height, width) == (side, side):
        return image
    flat = image.reshape(1, -1, height, width)
    flat = F.pad(flat, (0, side - width, 0, side - height), mode="replicate")
    return flat.view(*image.shape[:-2], side, side)


def _signs(random: Random, count: int) -> Tensor:
    """(count, 1, 1) of 1 and -1."""
    return torch.from_numpy(random.choice((-1.0, 1.0), count)).float()[:, None, None]
