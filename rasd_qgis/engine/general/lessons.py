"""Lessons: a pair whose fusion is known as the network is told of it, crops of it, and the loss.

The loss is what the network adds in decibels, so that easy pairs count as much as hard ones: the
logarithm of the squared error, over that of the start, of all pixels alike and of dark ones more,
as the spectral angle weighs them. What the components cannot reach stands in both. Beside it the
network learns to tell how large the error is that it leaves (a Laplace distribution's likelihood).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....models import RASDFuNet
from ..sensors.observe import Observation
from .study import GUIDE, Study
from .told import answered, brightness, given, tell

Random = np.random.Generator

DECIBELS = 10 / math.log(10)
# What the error outside the components counts, lest worlds of noise alone teach nothing.
REST = 0.5
# The share of the dark pixels' loss, and of the told error's, beside that of all pixels.
DARK, TOLD = 0.5, 0.1
# Brightness, in the usual one's, below which darker pixels count no more.
DARKEST = 0.1
# Beyond so many expected errors, and so much squared error outside the components, none is told.
MOST_ANSWER, MOST_REST = 60.0, 6e4
# A world is drawn as often as it has pixels, between these.
FEWEST_PIXELS, MOST_PIXELS = 1024, 6000


class Lesson(NamedTuple):
    """float16 but for error: (k,). image: (k, H, W), changes: (k, C, H, W), shared: (S, H, W) and
    facts: (k, F), as in `told`. answer: (k, H, W) in expected errors; weight: (H, W), 1 where it
    counts; rest: (H, W) squared error outside the components, in units; brightness: (H, W).
    """

    image: Tensor
    changes: Tensor
    shared: Tensor
    facts: Tensor
    answer: Tensor
    weight: Tensor
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


def lesson_of(
    study: Study, coarse: Tensor, guide: Tensor, look: Observation, truth: Tensor, weight: Tensor
) -> Lesson:
    """A pair's lesson. coarse: (B, h, w); guide: (b, H, W); truth: (B, H, W); weight: (H, W)."""
    told = tell(study, coarse, guide, look)
    missing = truth - told.start
    answer = study.in_errors(missing)
    in_units = (missing / study.unit[:, None, None]).square().sum(0)
    inside = (answer * study.error[:, None, None]).square().sum(0)
    kept = (
        told.image,
        told.changes,
        told.shared,
        told.facts,
        answer.clamp(-MOST_ANSWER, MOST_ANSWER),
        weight,
        (in_units - inside).clamp(0.0, MOST_REST),
        brightness(study, told.start),
    )
    image, changes, shared, facts, answer, weight, rest, bright = (field.half() for field in kept)
    return Lesson(image, changes, shared, facts, answer, weight, rest, bright, study.error)


def crops_of(lessons: list[Lesson], random: Random, shape: CropShape) -> Crops:
    """A batch, drawn at random, its components' signs and the guide's order too."""
    areas = np.array([min(max(one.pixels, FEWEST_PIXELS), MOST_PIXELS) for one in lessons], float)
    chosen = random.choice(len(lessons), shape.worlds, p=areas / areas.sum())
    parts = [_crop(lessons[index], random, shape) for index in chosen]
    image, changes, shared, facts, *others = (torch.stack(field) for field in zip(*parts))
    start, guide = given(*(field.flatten(0, 1) for field in (image, changes, shared, facts)))
    return Crops(start, guide, image, changes, *others)


def _crop(lesson: Lesson, random: Random, shape: CropShape) -> tuple[Tensor, ...]:
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

    # What is repeated to fill the crop counts nothing.
    weight = F.pad(
        lesson.weight[row : row + shape.side, col : col + shape.side].float(),
        (0, max(0, shape.side - width), 0, max(0, shape.side - height)),
    )
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


def losses(network: RASDFuNet, crops: Crops, ratio: float) -> tuple[Tensor, Tensor]:
    """The mean gain of the crops in decibels, and the loss of the told error's likelihood."""
    answer = network(crops.start, crops.guide, ratio).image
    residual, log = answered(crops.image.flatten(0, 1), crops.changes.flatten(0, 1), answer)
    residual, log = (field.view_as(crops.answer) for field in (residual, log))
    dark = crops.weight / (crops.brightness.square() + DARKEST**2)
    gain = _gain(crops, residual, crops.weight) + DARK * _gain(crops, residual, dark)
    missed = (residual - crops.answer).abs().detach()
    unlikely = (missed * torch.exp(-log) + log) * crops.weight[:, None]
    return gain / (1 + DARK), unlikely.sum() / (crops.weight.sum() * log.shape[1])


def _gain(crops: Crops, residual: Tensor, weight: Tensor) -> Tensor:
    """Decibels of squared error that a residual takes off, the mean over the worlds."""

    def power(missed: Tensor) -> Tensor:
        squares = (missed * crops.error[:, :, None, None]).square().sum(1)
        return (squares * weight).sum((1, 2)) / weight.sum((1, 2)) * crops.share

    rest = REST * (crops.rest * weight).sum((1, 2)) / weight.sum((1, 2)) + 1e-6
    before, after = power(crops.answer) + rest, power(residual - crops.answer) + rest
    return DECIBELS * (before.log() - after.log()).mean()
