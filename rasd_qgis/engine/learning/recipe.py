"""Recipes: the settings of a training by name.

"laptop" is what two cores finish: it starts from the closed form, in components, and trains in
large steps that shrink to nothing over the budget, averaging the last weights. The paper's settings
are L1, Adam at 4e-4 with cosine annealing, batches of 16 patches of 64 × 64 at a stride of 32, all
bands, the cubic start and r = 0.5, over the epochs it gives for each data set.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..scene.start import CUBIC, PAIR


@dataclass(frozen=True)
class Recipe:
    """The settings.

    start: of `start.STARTS`. rate: the greatest step of Adam, annealed by a cosine; decay: of the
    weights, decoupled. batch: crops a step; side: of a crop, pixels; stride: between crops, None
    draws them anywhere. turned: whether crops are turned and mirrored. routing_ratio: None draws it
    each step. memory: steps that the averaged weights remember, 0 for none. clip: the greatest norm
    of a gradient. zeroed: whether training begins at the start image itself. epochs or minutes: the
    budget where none is given. psf_sigma (coarse pixels): of references, None for the usual.
    """

    name: str
    start: str
    rate: float
    decay: float
    batch: int
    side: int
    stride: int | None
    turned: bool
    routing_ratio: float | None
    memory: int
    clip: float | None
    zeroed: bool
    epochs: int | None
    minutes: float | None
    psf_sigma: float | None

    def facts(self) -> dict[str, Any]:
        """The settings, for a model's card."""
        return asdict(self)


LAPTOP = Recipe(
    name="laptop",
    start=PAIR,
    rate=3e-3,
    decay=0.1,
    batch=4,
    side=64,
    stride=None,
    turned=True,
    routing_ratio=None,
    memory=200,
    clip=1.0,
    zeroed=True,
    epochs=None,
    minutes=20.0,
    psf_sigma=None,
)
# The paper's, by data set.
EPOCHS = {"paper-cave": 1000, "paper-icvl": 120, "paper-kaist": 300}


def recipe_of(preset: str) -> Recipe:
    """The recipe of a preset of `TrainRequest`."""
    if preset == LAPTOP.name:
        return LAPTOP
    return Recipe(
        name=preset,
        start=CUBIC,
        rate=4e-4,
        decay=0.0,
        batch=16,
        side=64,
        stride=32,
        turned=False,
        routing_ratio=0.5,
        memory=0,
        clip=None,
        zeroed=False,
        epochs=EPOCHS[preset],
        minutes=None,
        psf_sigma=3 / 8,
    )
