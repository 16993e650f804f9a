"""Pairs in memory whose fusion is known, for the room of the general network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rasd_fusion.rasd_qgis.engine.general.network import GeneralNetwork
from rasd_fusion.rasd_qgis.engine.general.proof import fitted
from rasd_fusion.rasd_qgis.engine.general.study import Study
from rasd_fusion.rasd_qgis.engine.learning.disagreement import smooth
from rasd_fusion.rasd_qgis.engine.learning.worlds import Scene
from rasd_fusion.rasd_qgis.engine.model.card import read_model
from rasd_fusion.rasd_qgis.engine.model.obtain import BUNDLED
from rasd_fusion.rasd_qgis.engine.rasters.grid import Axis
from rasd_fusion.rasd_qgis.engine.scene.network import FusedTile
from rasd_fusion.rasd_qgis.engine.scene.survey import Block
from rasd_fusion.rasd_qgis.engine.scene.tile import Tile
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA, Observation

MATERIALS = 5


@dataclass(frozen=True)
class Known:
    """truth: (B, H, W); coarse: (B, h, w); guide: (b, H, W); look: between them, along `axis`."""

    truth: Tensor
    coarse: Tensor
    guide: Tensor
    look: Observation
    axis: Axis

    @property
    def block(self) -> Block:
        """All of it, as a survey shows it."""
        around = self.look.down_around(self.guide)
        valid = torch.ones(self.coarse.shape[1:], dtype=torch.bool)
        return Block(self.coarse, around[1, 1], valid, around)

    def study(self, good: Tensor | None = None, sigma: float = DEFAULT_SIGMA) -> Study:
        """What is learnt of it. good: (B,) bool, all where None."""
        good = torch.ones(len(self.coarse), dtype=torch.bool) if good is None else good
        return Study.of([self.block], self.axis, self.axis, sigma, good)

    def fused(
        self, model: GeneralNetwork, good: Tensor | None = None, sigma: float = DEFAULT_SIGMA
    ) -> FusedTile:
        """Fused as one tile by a model, which is fitted to it first."""
        good = torch.ones(len(self.coarse), dtype=torch.bool) if good is None else good
        model = fitted(model, [self.block], self.axis, self.axis, sigma, good)
        return self.fused_by(model)

    def fused_by(self, model: GeneralNetwork) -> FusedTile:
        """Fused as one tile by a model that is fitted."""
        masks = (
            torch.ones(image.shape[1:], dtype=torch.bool) for image in (self.guide, self.coarse)
        )
        with torch.inference_mode():
            return model.fuse(Tile(self.guide, self.coarse, self.look, *masks), 0.5)


def cube(bands: int, side: int, seed: int = 0) -> Tensor:
    """(bands, side, side), positive: mixtures of a few smooth spectra over uneven ground."""
    random = np.random.default_rng(seed)
    fields = torch.stack(
        [2 * smooth(random, side, side, s) for s in random.uniform(3, 12, MATERIALS)]
    )
    places = torch.linspace(0, 1, bands)[:, None]
    centres, widths = (
        torch.from_numpy(random.uniform(*r, MATERIALS)) for r in ((0, 1), (0.1, 0.5))
    )
    spectra = (-0.5 * ((places - centres) / widths) ** 2).exp().float() + 0.1
    return 3000 * torch.einsum("bm,mhw->bhw", spectra, fields.softmax(0))


def known(
    bands: int = 20,
    guide: int = 4,
    side: int = 48,
    ratio: float = 4.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Known:
    """A pair; the guide sees groups of neighbouring bands. noise: in DN, of both."""
    truth = cube(bands, side, seed)
    small, axis = max(1, int(side / ratio + 1e-6)), Axis(ratio, 0.0)
    look = Observation.between((side, side), (small, small), axis, axis, DEFAULT_SIGMA)
    edges = torch.linspace(0, bands, guide + 1)
    middles = torch.arange(bands) + 0.5
    curves = torch.stack(
        [
            (-0.5 * ((middles - m) / (bands / guide)) ** 2).exp()
            for m in (edges[:-1] + edges[1:]) / 2
        ]
    )
    seen = torch.tensordot(curves / curves.sum(1, keepdim=True), truth, 1)
    random = torch.Generator().manual_seed(seed)
    coarse, seen = (
        image + noise * torch.randn(image.shape, generator=random)
        for image in (look.down(truth), seen)
    )
    return Known(truth, coarse, seen, look, axis)


def bundled() -> GeneralNetwork:
    """The model that ships."""
    model, _ = read_model(str(BUNDLED))
    assert isinstance(model, GeneralNetwork)
    return model


def scenes(count: int = 2, bands: int = 40, side: int = 64) -> list[Scene]:
    """Scenes of two sensors for worlds to be drawn over."""
    return [
        Scene(f"scene {n}", f"sensor {n % 2}", cube(bands + 8 * n, side, n)) for n in range(count)
    ]
