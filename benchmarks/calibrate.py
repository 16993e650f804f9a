"""Calibration: how much wider than told the interval must be that holds the truth in nine of ten.

The network tells the error that it expects to leave in every component; what lies outside the
components is known for bands alone. On worlds over scenes kept out of training a factor of each is
found, so that nine tenths of the values lie inside where either of the two weighs more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..models import RASDFuNet
from ..rasd_qgis.engine.general.network import NINETY, GeneralNetwork
from ..rasd_qgis.engine.learning import worlds
from ..rasd_qgis.engine.learning.pool import study_over
from ..rasd_qgis.engine.scene.tile import Tile

SHARE, RATIO = 0.9, 0.5
WORLDS, VALUES, SEED = 60, 4000, 78
ROUNDS, HALVINGS, MOST = 6, 30, 10.0


class Values(NamedTuple):
    """(n,) each: the error left, and half-widths told of it, inside and outside the components."""

    error: Tensor
    inside: Tensor
    outside: Tensor


def calibrated(network: RASDFuNet, scenes: list[worlds.Scene]) -> Tensor:
    """(2,): factors of the error inside the components, and of that outside them."""
    shares = worlds.shares_of(scenes)
    found = []
    for number in range(WORLDS):
        random = np.random.default_rng([SEED, number])
        found.append(_values(network, worlds.draw(random, scenes, shares), random))
    values = Values(*(torch.cat(part) for part in zip(*found)))
    factors = torch.ones(2)
    mostly_inside = values.inside > values.outside
    for _ in range(ROUNDS):
        factors[0] = _factor(values, mostly_inside, factors, 0)
        factors[1] = _factor(values, ~mostly_inside, factors, 1)
    return factors


@torch.inference_mode()
def _values(network: RASDFuNet, world: worlds.World, random: np.random.Generator) -> Values:
    """Some of a world's, drawn at random."""
    study = study_over(world)
    valid, seen = (torch.ones_like(one[0], dtype=torch.bool) for one in (world.guide, world.coarse))
    tile = Tile(world.guide, world.coarse, world.look, valid, seen)
    model = GeneralNetwork(network, torch.tensor([1.0, 0.0]), study)
    fused = model.fuse(tile, RATIO)
    outside = (NINETY * study.rest * study.unit)[:, None, None].expand_as(fused.bands)
    chosen = torch.from_numpy(random.integers(0, fused.bands.numel(), VALUES))
    error = (world.truth - fused.bands).abs()
    if fused.spread is None:
        raise ValueError("the general network tells of its error")
    return Values(*(part.flatten()[chosen] for part in (error, fused.spread, outside)))


def _factor(values: Values, where: Tensor, factors: Tensor, which: int) -> Tensor:
    """The factor by which SHARE of the values there lie inside, the other one as it is."""
    low, high = 0.0, MOST
    for _ in range(HALVINGS):
        tried = factors.clone()
        tried[which] = (low + high) / 2
        width = (values.inside * tried[0]).square() + (values.outside * tried[1]).square()
        covered = float((values.error.square() <= width)[where].float().mean())
        low, high = (float(tried[which]), high) if covered < SHARE else (low, float(tried[which]))
    return torch.tensor((low + high) / 2)
