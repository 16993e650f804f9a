"""The network without one of its parts: what each is worth.

The product has no switch for this. A part is taken out of a fresh `RASDFuNet` by putting a smaller
one in its place; the kernels of `models.fast` see that and leave such a network alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models import RASDConfig, RASDFuNet
from ..models.discriminator import SLOPE, WIDTH, Discriminator
from ..models.layout import as_points, channel_major
from ..models.rasd import RASD


@dataclass(frozen=True)
class Variant:
    """A network to compare with the paper's.

    shape: fields of `RASDConfig` that differ; ratio: r, in training and in use; without: parts of
    `PARTS` taken out; published: what the paper says it loses on CAVE, in dB.
    """

    name: str
    shape: dict[str, int] = field(default_factory=dict)
    ratio: float = 0.5
    without: tuple[str, ...] = ()
    published: float | None = None


ZEROS, RECONSTRUCT = "zeros", "reconstruct.weight"
FULL = Variant("as published: N = 5, K = 2, r = 0.5", published=0.0)
VARIANTS = (
    FULL,
    Variant("all decomposition, r = 1", ratio=1.0, published=-0.30),
    Variant("all attention, r = 0", ratio=0.0, published=-0.09),
    Variant("without context branch", without=("context",), published=-0.27),
    Variant("without spectral attention", without=("spectral",), published=-0.23),
    Variant("without gradients", without=("gradients",), published=-0.26),
    Variant(
        "without spectral attention and gradients",
        without=("spectral", "gradients"),
        published=-0.39,
    ),
    Variant("reconstruction drawn, as published", without=("zeros",)),
    Variant("without dropout", without=("dropout",)),
    *(Variant(f"K = {terms}", {"terms": terms}) for terms in (1, 3, 4)),
    *(Variant(f"N = {stages}", {"stages": stages}) for stages in (1, 2, 3, 4)),
    Variant("N = 6", {"stages": 6}, published=-0.55),
    *(Variant(f"r = {ratio}", ratio=ratio) for ratio in (0.3, 0.7, 0.9)),
)

# Holds every part of the others, but for what K and N change the shape of.
DONOR = Variant("all stages and terms", {"stages": 6})


def build(variant: Variant, hs_bands: int, guide_bands: int) -> RASDFuNet:
    """A fresh network, from torch's generator. It begins at the start image, if not said else."""
    network = RASDFuNet(RASDConfig(hs_bands, guide_bands, **variant.shape))
    if ZEROS not in variant.without:
        network.start_from_skip()
    for stage in network.stages:
        for part in (stage.fine, stage.coarse):
            for name in variant.without:
                PARTS[name](part)
    return network


def fresh(variant: Variant, seed: int, hs_bands: int, guide_bands: int) -> RASDFuNet:
    """`build` from a seed. Weights of one name and shape are those of all other variants."""
    torch.manual_seed(seed)
    donor = build(DONOR, hs_bands, guide_bands).state_dict()
    network = build(variant, hs_bands, guide_bands)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            given = donor.get(name)
            if given is not None and given.shape == weight.shape and name != RECONSTRUCT:
                weight.copy_(given)
    return network


class DetailAlone(nn.Module):
    """The discriminator without its context branch."""

    def __init__(self, whole: Discriminator) -> None:
        super().__init__()
        self.detail_in, self.detail, self.head = whole.detail_in, whole.detail, whole.head
        self.join = nn.Conv2d(WIDTH, WIDTH, 1)
        nn.init.xavier_uniform_(self.join.weight)
        nn.init.zeros_(self.join.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, H, W, C) → M (N, H, W)."""
        entered = channel_major(self.detail_in.weight, as_points(features), self.detail_in.bias)
        entered = F.leaky_relu(entered, SLOPE).unflatten(2, features.shape[1:3])
        joined = F.leaky_relu(self.join(self.detail(entered)), SLOPE)
        return torch.sigmoid(self.head(joined)).squeeze(1)


class NoCorrelation(nn.Module):
    """In the place of the spectral correlation S: the identity, which mixes no channels."""

    def forward(self, points: Tensor) -> Tensor:
        """(N, n, C) → (N, 2C, 2C)."""
        width = 2 * points.shape[2]
        return torch.eye(width, dtype=points.dtype).to(points).expand(len(points), -1, -1)


class NoGradients(nn.Module):
    """In the place of the gradient embedding: a factor of one."""

    def forward(self, edges: Tensor) -> Tensor:
        """(N, n, 2C) → the same shape."""
        return torch.ones_like(edges)


def _without_context(part: RASD) -> None:
    part.discriminator = DetailAlone(part.discriminator)


def _without_correlation(part: RASD) -> None:
    part.attention.correlation = NoCorrelation()


def _without_gradients(part: RASD) -> None:
    part.attention.edges = NoGradients()


def _without_dropout(part: RASD) -> None:
    part.attention.dropout = nn.Identity()


PARTS: dict[str, Callable[[RASD], None]] = {
    "context": _without_context,
    "spectral": _without_correlation,
    "gradients": _without_gradients,
    "dropout": _without_dropout,
    ZEROS: lambda part: None,
}
