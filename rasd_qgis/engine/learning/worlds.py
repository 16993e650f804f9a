"""Worlds: pairs of sensors that never were, drawn at random over scenes whose every pixel is known.

A scene is cut, turned, and thinned in its spectrum, so that few scenes stand for many; one sensor
blurs and decimates it, another sees it through random responses. In most of the worlds the two
disagree as real ones do: see `disagreement`. Everything random hangs on the generator given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..rasters.grid import Axis
from ..sensors.observe import DEFAULT_SIGMA, Observation
from . import disagreement
from .disagreement import Random, normal

RATIOS, RATIO_SHARES = (2, 3, 4, 5, 6, 8), (0.22, 0.12, 0.28, 0.08, 0.08, 0.22)
GUIDES, GUIDE_SHARES = (3, 4, 5, 6, 8, 10, 12), (0.26, 0.22, 0.1, 0.1, 0.1, 0.16, 0.06)
# The noise of both images in two worlds out of five, as a share of a band's root mean square.
USUAL_NOISE = 0.003
# Worlds without any.
NOISELESS = 0.06
DISAGREE = 0.6
# In so many of these the guide is sharper than the truth: the hyperspectral sensor's optics blur on
# its own fine grid too, by a standard deviation between these, fine pixels.
SOFT, SOFTNESS = 0.5, (0.3, 0.9)
# Coarse pixels a side: at least so many, and in a quarter of the worlds so few.
LEAST_SIDE, FEWEST_SIDE = 8, 5
# Pixels a side beyond which a scene is drawn no more often.
MOST_SIDE = 150
# Fine pixels a side, alike.
LEAST_FINE, FEWEST_FINE, SMALLEST = 40, 18, 16


@dataclass(frozen=True)
class Scene:
    """cube: (B, H, W) float32, dead bands left out."""

    name: str
    sensor: str
    cube: Tensor


@dataclass(frozen=True)
class World:
    """truth: (B, H, W); coarse: (B, h, w); guide: (b, H, W). look, axis, sigma: as the engine is
    told of them, which is not quite what is. real: whether the sensors disagree.
    """

    scene: str
    truth: Tensor
    coarse: Tensor
    guide: Tensor
    look: Observation
    axis: Axis
    sigma: float
    real: bool


def draw(random: Random, scenes: list[Scene], shares: np.ndarray) -> World:
    """A world over one of the scenes. shares: (n,) how often each is drawn, summing to 1."""
    scene = scenes[int(random.choice(len(scenes), p=shares))]
    ratio = _ratio(random)
    full, side, small = _cut(random, scene.cube, ratio)
    first, last, step = _spectrum(random, len(full))
    truth = _binned(full[first:last], step)
    seen = full if random.random() < 0.15 else full[first:last]
    guide = torch.tensordot(_response(random, len(seen)), seen, 1)
    real = bool(random.random() < DISAGREE)
    if real:
        guide = disagreement.of(random, guide)
        if random.random() < SOFT:
            truth = disagreement.blurred(truth, random.uniform(*SOFTNESS))
    offset = random.uniform(-0.5, 0.5) if random.random() < 0.3 else 0.0
    axis = Axis(ratio, float(offset))
    sigma, told = _spreads(random)
    shapes = (side, side), (small, small), axis, axis
    coarse = Observation.between(*shapes, sigma).down(truth)
    noises = _noises(random)
    uneven = random.random() < 0.3
    factors = torch.exp(0.5 * normal(random, (len(coarse), 1, 1))) if uneven else torch.ones(1)
    return World(
        scene.name,
        truth,
        _noisy(random, coarse, noises[0] * factors),
        _noisy(random, guide, torch.tensor(noises[1])),
        Observation.between(*shapes, told),
        axis,
        told,
        real,
    )


def shares_of(scenes: list[Scene]) -> np.ndarray:
    """How often each scene is drawn: every sensor alike, but the root of how many it has, and
    each scene as its side, up to MOST_SIDE.
    """
    by_sensor = {s.sensor: sum(other.sensor == s.sensor for other in scenes) for s in scenes}
    areas = (s.cube.shape[1] * s.cube.shape[2] for s in scenes)
    sides = [min(math.sqrt(area), MOST_SIDE) for area in areas]
    shares = np.array([side / math.sqrt(by_sensor[s.sensor]) for s, side in zip(scenes, sides)])
    return np.asarray(shares / shares.sum())


def _ratio(random: Random) -> float:
    if random.random() < 0.85:
        return float(random.choice(RATIOS, p=RATIO_SHARES))
    return float(random.uniform(2, 8))


def _cut(random: Random, cube: Tensor, ratio: float) -> tuple[Tensor, int, int]:
    """A square of the scene, turned or mirrored; its side, and that of the coarse image on it."""
    if random.random() < 0.15 and min(cube.shape[1:]) >= 90:
        cube = F.avg_pool2d(cube[None], 2)[0]
    height, width = cube.shape[1:]
    most = min(height, width)
    few = random.random() < 0.25
    least = max(FEWEST_FINE, FEWEST_SIDE * ratio) if few else max(LEAST_FINE, LEAST_SIDE * ratio)
    side = round(random.uniform(min(least, most), most)) if random.random() < 0.6 else most
    small = max(1, int(side / ratio + 1e-6))
    side = max(SMALLEST, min(most, math.ceil(small * ratio - 1e-6)))
    row, col = (int(random.integers(0, size - side + 1)) for size in (height, width))
    square = torch.rot90(cube[:, row : row + side, col : col + side], random.integers(4), (1, 2))
    return (square.flip(2) if random.random() < 0.5 else square).contiguous(), side, small


def _spectrum(random: Random, bands: int) -> tuple[int, int, int]:
    """The bands [first, last) that the hyperspectral sensor has, and how many it adds up."""
    first, count = 0, bands
    if bands > 31 and random.random() < 0.5:
        count = int(bands * random.uniform(0.5, 1.0))
        first = int(random.integers(0, bands - count + 1))
    return first, first + count, int(random.integers(1, 4)) if count > 90 else 1


def _binned(cube: Tensor, step: int) -> Tensor:
    """The cube with every `step` bands averaged."""
    whole = len(cube) // step * step
    return cube[:whole].reshape(-1, step, *cube.shape[1:]).mean(1)


def _response(random: Random, bands: int) -> Tensor:
    """(b, B): bell curves at random centres, narrow or broad, rows summing to 1."""
    count = int(random.choice(GUIDES, p=GUIDE_SHARES))
    even = (np.arange(count) + random.uniform(0.1, 0.9, count)) * bands / count
    centres = np.sort(random.uniform(0, bands, count)) if random.random() < 0.5 else even
    if random.random() < 0.3:
        centres = centres * random.uniform(0.2, 0.6)
    broadest = 0.25 if random.random() < 0.5 else 0.08
    widths = bands * np.exp(random.uniform(math.log(0.01), math.log(broadest), count))
    distance = (np.arange(bands) - centres[:, None]) / np.maximum(widths, 0.5)[:, None]
    curves = np.exp(-0.5 * distance**2)
    if random.random() < 0.3:
        curves *= np.exp(0.15 * random.standard_normal(curves.shape))
    return torch.from_numpy(curves / curves.sum(1, keepdims=True)).float()


def _spreads(random: Random) -> tuple[float, float]:
    """The PSF's standard deviation in coarse pixels, and what the engine takes for it."""
    sigma = DEFAULT_SIGMA
    if random.random() < 0.6:
        sigma *= math.exp(0.15 * random.standard_normal())
    if random.random() < 0.2:
        sigma = float(random.uniform(0.25, 0.45))
    wrong = random.random() < 0.5
    return sigma, sigma * math.exp(0.1 * random.standard_normal()) if wrong else sigma


def _noises(random: Random) -> tuple[float, float]:
    """Of the coarse image and of the guide."""
    if random.random() < NOISELESS:
        return 0.0, 0.0
    if random.random() < 0.4:
        return USUAL_NOISE, USUAL_NOISE
    return 10 ** random.uniform(-3.5, -1.9), 10 ** random.uniform(-3.2, -1.7)


def _noisy(random: Random, image: Tensor, shares: Tensor) -> Tensor:
    strength = image.square().mean((1, 2), keepdim=True).sqrt() * shares
    return image + strength * normal(random, image.shape)
