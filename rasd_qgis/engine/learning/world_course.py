"""World courses: training the general network on worlds, one after the other, by steps.

The routing ratio is drawn at random in every step, so that the dial works.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ....models import RASDConfig, RASDFuNet
from ..general.lessons import TOLD, Crops, CropShape, crops_of, losses
from ..general.told import ANSWER, CHANNELS
from ..scene.checkpoint import adam_state, read_checkpoint, restore_adam, under, write_checkpoint
from .pool import Pool


@dataclass(frozen=True)
class WorldRecipe:
    """The settings of a training. rate: of Adam, annealed by a cosine after `warming` steps;
    memory: steps that the averaged weights remember; pool: worlds held, one replaced every `renew`
    steps; worlds, components, side: of a batch; stages, channels: of the network.
    """

    steps: int
    seed: int = 0
    rate: float = 1e-3
    warming: int = 200
    decay: float = 0.02
    memory: int = 500
    clip: float = 1.0
    pool: int = 1500
    renew: int = 4
    worlds: int = 4
    components: int = 3
    side: int = 32
    stages: int = 2
    channels: int = 32

    @property
    def crops(self) -> CropShape:
        """Of a batch."""
        return CropShape(self.worlds, self.components, self.side)


class WorldCourse:
    """A network in training on a pool, and its averaged weights."""

    def __init__(self, pool: Pool, recipe: WorldRecipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        config = RASDConfig(ANSWER, CHANNELS, recipe.channels, recipe.stages)
        self.network = _undropped(RASDFuNet(config)).to(device)
        self.network.start_from_skip()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.rate, weight_decay=recipe.decay, fused=True
        )
        self.pool, self.recipe, self.device, self.step = pool, recipe, device, 0

    def advance(self) -> tuple[float, float]:
        """One step; what the batch's crops gained in decibels, and the likelihood's loss."""
        recipe = self.recipe
        self.pool.fill(recipe.pool + self.step // recipe.renew)
        random = np.random.default_rng([recipe.seed, 1, self.step])
        crops = crops_of(self.pool.lessons(), random, recipe.crops)
        crops = Crops(*(field.to(self.device) for field in crops))
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        gain, told = losses(self.network, crops, float(random.random()))
        self.optimiser.zero_grad(set_to_none=True)
        (TOLD * told - gain).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip, foreach=True)
        self.optimiser.step()
        keep = min(1 - 1 / recipe.memory, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            means, values = self.average.parameters(), self.network.parameters()
            torch._foreach_lerp_(list(means), list(values), 1 - keep)
        self.step += 1
        return float(gain.detach()), float(told.detach())

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.recipe.warming)
        turn = math.cos(math.pi * self.step / self.recipe.steps)
        return self.recipe.rate * warm * (1 + turn) / 2

    def save(self, path: Path) -> None:
        """Leave a checkpoint."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        moments = adam_state(self.network, self.optimiser)
        tensors |= {f"adam.{k}": v for k, v in moments.items()}
        write_checkpoint(path, "bundled", tensors, self._facts())

    def go_on_from(self, path: Path) -> None:
        """Take up a checkpoint of this recipe; ValueError of another one."""
        tensors, facts = read_checkpoint(path)
        if facts.get("recipe") != asdict(self.recipe):
            raise ValueError(f"{path.name} is of a training with other settings")
        self.network.load_state_dict(under(tensors, "network."))
        self.average.load_state_dict(under(tensors, "average."))
        restore_adam(self.network, self.optimiser, under(tensors, "adam."))
        self.step = int(facts["step"])

    def _facts(self) -> dict[str, Any]:
        return {"recipe": asdict(self.recipe), "step": self.step}


def _undropped(network: RASDFuNet) -> RASDFuNet:
    """The network without dropout: here crops are many, and small errors are what is learnt."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network
