"""Contest: a network trained on the scene against the one that ships, one scale down.

Both fuse the pair reduced, and are judged by the rows that were kept out of the training (Wald's
protocol). The one trained there knows that scale by heart and has to be better by a margin.
"""

from __future__ import annotations

import torch

from ..general.network import GeneralNetwork
from ..general.proof import fused_below
from ..rasters.align import Alignment
from ..scene.normalise import Units
from ..scene.reduce import Reduced
from ..scene.survey import Block
from ..scene.train import JUDGED, Trained

# The error, of the shipped network's, below which the other is kept. After 300 steps 0.82 (demo),
# 0.92 (Indian Pines x4) and 0.98 (CAVE x4) one scale down were 0.01, 0.55 and 0.12 dB worse at the
# true scale; on both NEON mosaics and EnMAP training found nothing.
MARGIN = 0.8


def is_worth(trained: Trained, shipped_error: float) -> bool:
    """Whether the network trained on the scene is to be kept; errors as `Trained.kept_out_loss`."""
    return trained.best_step > 0 and trained.kept_out_loss < MARGIN * shipped_error


def shipped_error(
    model: GeneralNetwork,
    blocks: list[Block],
    scene: list[Reduced],
    trained: Trained,
    units: Units,
    pair: Alignment,
    sigma: float,
) -> float:
    """What the network that ships leaves on the rows kept out: L1 in the scene's units, as a share
    of the error of the closed form that training starts from.
    """
    good = torch.from_numpy(pair.hs.good)
    shipped = fused_below(model, blocks[:JUDGED], pair.rows, pair.cols, sigma, good)
    left, reference = 0.0, 0.0
    for (_, fused), reduced, kept_out in zip(shipped, scene, trained.kept_out):
        answer = units.residual_of(reduced.target - reduced.start)
        found = units.residual_of(fused.bands - reduced.start)
        left += float(((found - answer).abs() * kept_out).sum())
        reference += float((answer.abs() * kept_out).sum())
    return left / reference if reference > 0 else 1.0
