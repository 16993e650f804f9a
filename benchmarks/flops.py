"""Operations of the network, counted from its weights' shapes and from where each is applied.

Two counts, both two operations a multiply-add. *Paper*: convolutions and linear layers alone, as
the paper's equations are written, which is the convention of its table (checked on three of its
peers).
*Full*: also every matrix product (K Qᵀ, S·u, S·y, the outer products), the Sobel kernels and the
scan. What a faster form spares is not taken off: both tell what the equations ask for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import nn

from ..models import RASDConfig, RASDFuNet
from ..models.multiscale import SCALE
from ..models.routing import low_rank_grid

# Of the scan, a token, channel and state: exp(Δ·A) (2), Δ·u·B (2), h ← a·h + b (2), y ← y + c·h (2)
# and one for the sum over states; the count that is usual for selective scans. Its skip D·u: 2.
SCAN_OPERATIONS, SKIP_OPERATIONS = 9, 2
SOBEL_TAPS = 2 * 9


class Count(NamedTuple):
    """Operations of one pass: layers in the paper's convention, and what it leaves out."""

    layers: int
    products: int
    scan: int

    @property
    def full(self) -> int:
        """All of them."""
        return self.layers + self.products + self.scan


class Points(NamedTuple):
    """Feature points of a RASD module: the low-rank grid's sides, and how many in each cluster."""

    rows: int
    columns: int
    low: int
    rest: int

    @classmethod
    def of(cls, height: int, width: int, ratio: float) -> Points:
        """Of a feature map, at a routing ratio."""
        rows, columns = low_rank_grid(height, width, ratio)
        low = rows * columns
        return cls(rows, columns, low, height * width - low)


def count(network: RASDFuNet, height: int, width: int, ratio: float) -> Count:
    """Of one image on a grid of height × width, multiples of 8, at a routing ratio."""
    layers = sum(
        2 * weights * places for weights, places in layers_of(network, height, width, ratio)
    )
    products = scan = 0
    for scale in (1, SCALE):
        points = Points.of(height // scale, width // scale, ratio)
        products += 2 * _products(network.config, points)
        scan += _scan(network.config, points)
    stages = network.config.stages
    return Count(layers, stages * products, stages * scan)


def layers_of(
    network: RASDFuNet, height: int, width: int, ratio: float
) -> Iterator[tuple[int, int]]:
    """(weights, places it is applied at) of every convolution and linear layer.

    Raises KeyError for a layer whose place is not known.
    """
    places = _places(network.config, height, width, ratio)
    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            yield layer.weight.numel(), _place(name, places)


def _place(name: str, places: Mapping[str, int]) -> int:
    """Of a layer, by the longest beginning of its name that is known."""
    name = re.sub(r"^stages\.\d+", "stage", name)
    name = re.sub(r"terms\.\d+", "terms", name)
    parts = name.split(".")
    beginnings = (".".join(parts[:size]) for size in range(len(parts), 0, -1))
    for beginning in beginnings:
        if beginning in places:
            return places[beginning]
    raise KeyError(f"where is {name} applied?")


def _places(config: RASDConfig, height: int, width: int, ratio: float) -> dict[str, int]:
    """Layer, or room of layers → outputs of its kernel: points, or places along a vector."""
    pixels = height * width
    places = {
        "enter": pixels,
        "reconstruct": pixels,
        "stage.down.0": pixels // 4**2,
        "stage.down.1": pixels // SCALE**2,
        "stage.up": pixels // SCALE**2,
        "stage.join": pixels,
    }
    for part, scale in (("fine", 1), ("coarse", SCALE)):
        points = Points.of(height // scale, width // scale, ratio)
        used = int(points.low > 0)
        rooms = {
            "discriminator": points.low + points.rest,
            "refine": points.low + points.rest,
            "attention": points.rest,
            "low_rank.join": points.low,
            "low_rank.terms.rows": points.rows,
            "low_rank.terms.columns": points.columns,
            "low_rank.terms.colours": used * config.channels,
            "low_rank.terms.plane": points.low,
            "low_rank.terms.colour": used,
        }
        places |= {f"stage.{part}.{room}": here for room, here in rooms.items()}
    return places


def _products(config: RASDConfig, points: Points) -> int:
    """Multiply-adds of the matrix products and Sobel kernels of a RASD module."""
    width = 2 * config.channels
    correlation = 3 * points.rest * width**2 // config.heads
    outer = config.terms * points.low * (1 + config.channels)
    edges = SOBEL_TAPS * config.channels * (points.low + points.rest) if points.rest else 0
    return correlation + outer + edges


def _scan(config: RASDConfig, points: Points) -> int:
    """Operations of the selective scan of a RASD module."""
    width, states = 2 * config.channels, config.channels // 2
    return points.rest * width * (SCAN_OPERATIONS * states + SKIP_OPERATIONS)
