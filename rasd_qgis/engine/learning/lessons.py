"""Lessons: crops of pairs whose fusion is known, in the network's units, and what is kept out.

A tenth of the pixels is never trained on: of nine images or fewer, the first or last rows of each;
of more, every tenth image. How well these are predicted decides which weights are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..scene.estimate import detail, hypersharpen
from ..scene.network import GREATEST
from ..scene.normalise import Units
from ..scene.reduce import Reduced
from ..scene.start import begin
from ..scene.tile import Place, Span, Tile, read_tile
from .wald import WaldPair, margin

KEPT_OUT = 0.1
# From so many images on whole ones are kept out.
MANY_IMAGES = 10
# The windows that are validated, over all images together.
MOST_WINDOWS = 16

Window = tuple[int, int, int, int]


class Lesson(NamedTuple):
    """components: (K, s, s); guide: (g, s, s); answer: (K, s, s), in misses; weight: (1, s, s)."""

    components: Tensor
    guide: Tensor
    answer: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Subject:
    """A pair to learn from. gains: (b, B), its own closed form's. sigma: of the PSF.

    area: the window that crops are taken from, None where all of it is kept out.
    kept: the window kept out, None where there is none.
    """

    pair: WaldPair
    gains: Tensor
    sigma: float
    area: Window | None
    kept: Window | None


def split(number: int, count: int, shape: tuple[int, int], seed: int) -> tuple[Window | None, ...]:
    """The windows (to train in, kept out) of image `number` of `count`, of this shape."""
    height, width = shape
    whole = 0, height, 0, width
    if count >= MANY_IMAGES:
        return (None, whole) if number % MANY_IMAGES == seed % MANY_IMAGES else (whole, None)
    rows = max(1, round(height * KEPT_OUT))
    if (number + seed) % 2:
        return (rows, height, 0, width), (0, rows, 0, width)
    return (0, height - rows, 0, width), (height - rows, height, 0, width)


def sample(subject: Subject, window: Window) -> Reduced:
    """A window in DN, as the units are fitted to it."""
    tile, cut = _around(subject, window, torch.device("cpu"))
    truth, valid = map(torch.from_numpy, subject.pair.read_truth(*window))
    fine_detail = detail(tile.guide, tile.look)
    image = hypersharpen(tile.coarse, fine_detail, subject.gains, tile.look)
    return Reduced(
        truth,
        image[:, cut[0], cut[1]],
        tile.guide[:, cut[0], cut[1]],
        fine_detail[:, cut[0], cut[1]],
        tile.valid[cut] & valid,
    )


def lesson(
    subject: Subject, units: Units, start: str, window: Window, device: torch.device
) -> Lesson:
    """A window's lesson. units: on the device. Invalid pixels have no weight."""
    tile, cut = _around(subject, window, device)
    begun = begin(start, units, subject.gains.to(device), tile.guide, tile.coarse, tile.look)
    truth, valid = (torch.from_numpy(a).to(device) for a in subject.pair.read_truth(*window))
    valid = valid & tile.valid[cut]
    missing = truth - begun.image[:, cut[0], cut[1]]
    answer = units.residual_of(torch.where(valid, missing, 0.0))
    components, shown = (
        image[:, cut[0], cut[1]].clamp(-GREATEST, GREATEST)
        for image in (begun.components, begun.guide)
    )
    return Lesson(components, shown, answer, valid[None].float())


def kept_lesson(
    subject: Subject, units: Units, start: str, kept: Window, side: int, device: torch.device
) -> Lesson:
    """The lesson side × side about a window kept out, in which that window alone has weight."""
    height, width = subject.pair.fine.shape
    rows, cols = _grown(kept[:2], side, height), _grown(kept[2:], side, width)
    one = lesson(subject, units, start, (*rows, *cols), device)
    weight = torch.zeros_like(one.weight)
    inside = (
        slice(None),
        slice(kept[0] - rows[0], kept[1] - rows[0]),
        slice(kept[2] - cols[0], kept[3] - cols[0]),
    )
    weight[inside] = one.weight[inside]
    return padded(one._replace(weight=weight), side)


def padded(one: Lesson, side: int) -> Lesson:
    """The lesson with its last pixels repeated to side × side, where they have no weight."""
    height, width = one.weight.shape[1:]
    if (height, width) == (side, side):
        return one
    room = (0, side - width, 0, side - height)
    components, guide, answer = (F.pad(image[None], room, mode="replicate")[0] for image in one[:3])
    return Lesson(components, guide, answer, F.pad(one.weight, room))


def kept_windows(subjects: list[Subject], side: int) -> list[tuple[Subject, Window]]:
    """The windows, at most side × side, on which training is judged, spread over all images."""
    found = [
        (subject, window)
        for subject in subjects
        if subject.kept is not None
        for window in _tiled(subject.kept, side)
    ]
    if len(found) <= MOST_WINDOWS:
        return found
    step = (len(found) - 1) / (MOST_WINDOWS - 1)
    return [found[round(number * step)] for number in range(MOST_WINDOWS)]


def spread_windows(window: Window, side: int, count: int) -> list[Window]:
    """Up to `count` windows of at most side × side, spread over a window."""
    found = _tiled(window, side)
    step = max(1, len(found) // count)
    return found[::step][:count]


def _tiled(window: Window, side: int) -> list[Window]:
    row0, row1, col0, col1 = window
    return [
        (row, min(row + side, row1), col, min(col + side, col1))
        for row in range(row0, row1, side)
        for col in range(col0, col1, side)
    ]


def _grown(span: tuple[int, ...], side: int, size: int) -> tuple[int, int]:
    """A span of `side` pixels, or of all of `size`, that holds this one."""
    start = max(0, min(span[0], size - side))
    return start, min(start + side, size)


def _around(
    subject: Subject, window: Window, device: torch.device
) -> tuple[Tile, tuple[slice, slice]]:
    """The tile around a window, with all that bears on it, and where in it the window lies."""
    pair, sides = subject.pair, subject.pair.fine.shape
    spans, cut = [], []
    for axis, start, stop, size in zip((pair.rows, pair.cols), window[0::2], window[1::2], sides):
        more = margin(axis.ratio)
        first, last = max(start - more, 0), min(stop + more, size)
        spans.append(Span(first, last, 0, 0))
        cut.append(slice(start - first, stop - first))
    tile = read_tile(pair, Place(*spans), subject.sigma, device)
    return tile, (cut[0], cut[1])
