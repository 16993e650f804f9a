"""Pool: the lessons of the moment, over worlds drawn at random.

One is replaced every few steps, so that few fit in memory and many are seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..general.lessons import Lesson, lesson_of
from ..general.study import Study
from ..scene.survey import Block
from .worlds import Scene, World, draw


def study_over(world: World) -> Study:
    """What a survey of a world tells, which is all of it."""
    around = world.look.down_around(world.guide)
    valid = torch.ones(world.coarse.shape[1:], dtype=torch.bool)
    blocks = [Block(world.coarse, around[1, 1], valid, around)]
    good = torch.ones(len(world.coarse), dtype=torch.bool)
    return Study.of(blocks, world.axis, world.axis, world.sigma, good)


def lesson_over(world: World) -> Lesson:
    """The lesson of a world, all of it."""
    weight, study = torch.ones(world.truth.shape[1:]), study_over(world)
    return lesson_of(study, world.coarse, world.guide, world.look, world.truth, weight)


class Pool:
    """The worlds of the moment: number n stands where n - size stood.

    Which worlds there are hangs on seed, size and how many were drawn, on nothing else.
    """

    def __init__(self, scenes: Sequence[Scene], shares: np.ndarray, size: int, seed: int) -> None:
        self._scenes, self._shares, self._seed = list(scenes), shares, seed
        self._lessons: list[Lesson | None] = [None] * size
        self._drawn = 0

    def fill(self, drawn: int) -> None:
        """Bring it to where so many worlds have been drawn."""
        size = len(self._lessons)
        for number in range(max(self._drawn, drawn - size), drawn):
            self._lessons[number % size] = self._made(number)
        self._drawn = drawn

    def lessons(self) -> list[Lesson]:
        """All that it holds."""
        return [one for one in self._lessons if one is not None]

    def _made(self, number: int) -> Lesson | None:
        random = np.random.default_rng([self._seed, number])
        made = lesson_over(draw(random, self._scenes, self._shares))
        sound = all(bool(field.isfinite().all()) for field in made)
        return made if sound else None
