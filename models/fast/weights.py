"""The network's weights as the kernels read them: (inputs, outputs), padded, linear maps merged.

Where no non-linearity stands between two linear maps they become one: the affine half of a layer
norm and what follows it, u's two maps, and the enlargement with the join that reads it.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..discriminator import SLOPE
from ..kernels import compiled
from ..multiscale import SCALE

if TYPE_CHECKING:
    from ..attention import Attention
    from ..discriminator import Discriminator
    from ..multiscale import MultiScaleRASD
    from ..network import RASDFuNet
    from ..rasd import RASD, Refine

Group = tuple[Tensor, ...]  # a kernel's weights, in its order


class RASDWeights(NamedTuple):
    """Of one RASD module, named by the kernel that reads them; decay is the scan's A."""

    part: Any
    discern: Group
    near: Group
    confide: Group
    enter: Group
    select: Group
    decay: Tensor
    leave: Group
    refine: Group


class StageWeights(NamedTuple):
    """Of one stage; shrink: of both convolutions that lead to the coarse scale."""

    shrink: Group
    fine: RASDWeights
    coarse: RASDWeights
    merge: Group


class NetworkWeights(NamedTuple):
    """Of the whole network."""

    begin: Group
    stages: tuple[StageWeights, ...]


def arranged(net: RASDFuNet) -> NetworkWeights:
    """The network's weights, arranged again only where one of them changed."""
    if any(weight.is_inference() for weight in net.parameters()):
        return _network(net)  # such tensors do not tell whether they changed
    state = tuple((weight.data_ptr(), weight._version) for weight in net.parameters())
    if net not in _known or _known[net][0] != state:
        _known[net] = (state, _network(net))
    return _known[net][1]


_known: weakref.WeakKeyDictionary[Any, tuple[Any, NetworkWeights]] = weakref.WeakKeyDictionary()


def _network(net: RASDFuNet) -> NetworkWeights:
    channels, bands = net.config.channels, net.config.hs_bands
    to_image = [_ready(_to_lanes(part.T)) for part in net.reconstruct.weight.split(channels, dim=1)]
    from_start, from_guide = net.enter.weight.split((bands, net.config.guide_bands), dim=1)
    begin = (_ready(from_start.T), _ready(from_guide.T), net.enter.bias, to_image[0])
    stages = (_stage(part, image) for part, image in zip(net.stages, to_image[1:]))
    return NetworkWeights(begin, tuple(stages))


def _stage(part: MultiScaleRASD, to_image: Tensor) -> StageWeights:
    channels = part.join.out_features
    from_fine, from_raised = part.join.weight.split(channels, dim=1)
    blocks = part.up.weight.view(SCALE * SCALE, channels, channels)
    block_bias = part.up.bias.view(-1, channels) @ from_raised.T + part.join.bias
    to_blocks = _ready((from_raised @ blocks).flatten(0, 1).T)
    merge = (to_blocks, block_bias.flatten(), _ready(from_fine.T), to_image)
    shrink = tuple(_ready(convolution.weight.permute(2, 3, 1, 0)) for convolution in part.down)
    return StageWeights(shrink, _rasd(part.fine), _rasd(part.coarse), merge)


def _rasd(part: RASD) -> RASDWeights:
    attention = part.attention
    return RASDWeights(
        part,
        *_discriminator(part.discriminator),
        _enter(attention),
        _select(attention),
        -attention.scan.a_log.exp(),
        _leave(attention),
        _refine(part.low_rank.join.bias, part.refine),
    )


def _discriminator(part: Discriminator) -> tuple[Group, Group, Group]:
    """Both branches side by side in one vector: the detail's channels, then the context's."""
    four = part.detail.out_channels
    enter = _to_lanes(torch.cat((part.detail_in.weight, part.context_in.weight)).T)
    discern = (_ready(enter), _to_lanes(torch.cat((part.detail_in.bias, part.context_in.bias))))
    detail, near, far = (
        _taps(x.weight) for x in (part.detail, part.context_near, part.context_far)
    )
    none = torch.zeros_like(detail[:-1])
    rows = [
        torch.cat((detail[:-1], none), 1),
        torch.cat((none, near[:-1]), 1),
        torch.cat((detail[-1:], near[-1:]), 1),
    ]
    slope = torch.cat((torch.ones(four), torch.full((compiled().LANES - four,), SLOPE)))
    bias = _to_lanes(torch.cat((part.detail.bias, part.context_near.bias)))
    # the detail branch has no second convolution: its centre is one, its ring nothing
    rows_far = [torch.cat((none, far[:-1]), 1), torch.cat((torch.ones_like(far[-1:]), far[-1:]), 1)]
    confide = (
        _ready(_to_lanes(torch.cat(rows_far))),
        _to_lanes(F.pad(part.context_far.bias, (four, 0))),
        _ready(_to_lanes(part.join.weight.flatten(1).T)),
        _to_lanes(part.join.bias),
        _head(part.head.weight, part.head.bias),
    )
    return discern, (_ready(_to_lanes(torch.cat(rows))), bias, slope), confide


def _enter(part: Attention) -> Group:
    first, _, last = part.score
    normed = torch.addmv(part.enter_u.bias, part.enter_u.weight, part.norm_in.bias)
    return (
        _ready((part.mix.weight @ part.enter_u.weight * part.norm_in.weight).T),
        torch.addmv(part.mix.bias, part.mix.weight, normed),
        _ready(_to_lanes(first.weight.T)),
        _to_lanes(first.bias),
        _head(last.weight, last.bias),
    )


def _select(part: Attention) -> Group:
    scan = part.scan
    step, maps = scan.select.weight.split((scan.rank, 2 * scan.states))
    return _ready(torch.cat((maps.T, _to_lanes(step.T)), 1)), _ready(scan.step.weight.T)


def _leave(part: Attention) -> Group:
    edges = part.edges
    return (
        _ready(edges.narrow.weight.T),
        edges.narrow.bias,
        _ready(edges.widen.weight.T),
        edges.widen.bias,
        part.norm_out.weight,
        part.norm_out.bias,
        _ready((part.enter_z.weight * part.norm_in.weight).T),
        torch.addmv(part.enter_z.bias, part.enter_z.weight, part.norm_in.bias),
        _ready(part.leave.weight.T),
        part.leave.bias,
    )


def _refine(model_bias: Tensor, part: Refine) -> Group:
    channels = part.leave.out_features
    from_points, from_features = part.join.weight.split(channels, dim=1)
    near, far = _ready(_taps(part.near.weight)), _ready(_taps(part.far.weight))
    join = (model_bias, _ready(from_points.T), _ready(from_features.T), part.join.bias)
    leave = (_ready(part.leave.weight.T), part.leave.bias)
    return (*join, near, part.near.bias, far, part.far.bias, *leave)


def _taps(weight: Tensor) -> Tensor:
    """A depthwise 3x3 weight (C, 1, 3, 3) as (9, C): the ring row by row, then the centre."""
    flat = weight.flatten(1).T
    return torch.cat((flat[:4], flat[5:], flat[4:5]))


@lru_cache
def taps(*dilations: int) -> Tensor:
    """Rows and columns to the taps of such 3x3 convolutions, in pairs; their centre last, once."""
    ring = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    pairs = [(y * dilation, x * dilation) for dilation in dilations for y, x in ring]
    return torch.tensor([*pairs, (0, 0)])


def _head(weight: Tensor, bias: Tensor) -> Tensor:
    """A map onto one number: a vector, and its bias behind it."""
    return torch.cat((_to_lanes(weight.flatten()), bias))


def _to_lanes(weight: Tensor) -> Tensor:
    """Zeros behind the last axis up to a whole number of vectors."""
    return F.pad(weight, (0, -weight.shape[-1] % compiled().LANES))


def _ready(weight: Tensor) -> Tensor:
    return weight.contiguous()
