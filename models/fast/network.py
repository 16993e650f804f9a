"""The network's frame by compiled kernels: initial fusion, the two scales, reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..config import RASDConfig
from ..kernels import compiled, run
from ..multiscale import SCALE
from .rasd import PART, rasd
from .weights import arranged

if TYPE_CHECKING:
    from ..network import RASDFuNet


def compiles() -> bool:
    """Whether there is a numba here that compiles the kernels."""
    return compiled() is not None


def usable(net: RASDFuNet, start: Tensor) -> bool:
    """Whether `predict` can do this: single precision, no gradient, a processor that has numba."""
    if net.training or torch.is_grad_enabled():
        return False
    if start.device.type != "cpu" or start.dtype != torch.float32:
        return False
    return _fits(net.config) and _as_written(net) and compiled() is not None


def _fits(config: RASDConfig) -> bool:
    """Whether channels, states and heads are whole vectors."""
    return config.channels % 32 == 0 and (2 * config.channels // config.heads) % 16 == 0


def _as_written(net: RASDFuNet) -> bool:
    """Whether every part computes what its class here says: the kernels know nothing else."""
    homes = {__name__.rpartition(".fast")[0], nn.Module.__module__.rpartition(".")[0]}
    return all(
        type(part).__module__.rpartition(".")[0] in homes
        and not part._forward_hooks
        and "forward" not in vars(part)
        for part in net.modules()
    )


def predict(
    net: RASDFuNet, start: Tensor, guide: Tensor, ratio: float, auto: bool = False
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The image (N, B, H, W), and each stage's confidence (N, H, W) and (N, H/8, W/8).

    start: (N, B, H, W), guide: (N, b, H, W); H and W multiples of 8. The network is not training.
    ratio, auto: as `RASDFuNet.forward` takes them.
    """
    weights = arranged(net)
    features, image = _begun(weights.begin, start.contiguous(), guide.contiguous())
    maps = []
    for stage in weights.stages:
        fine, trust = rasd(stage.fine, features, ratio, auto)
        coarse, far_trust = rasd(stage.coarse, _shrunk(stage.shrink, fine), ratio, auto)
        # what the stage began from has been read: its memory takes what the stage ends with
        _merge(stage.merge, (fine, coarse), (features, image))
        maps.append((trust, far_trust))
    return start + image[..., : start.shape[1]].permute(0, 3, 1, 2), maps


def _begun(weights: tuple[Tensor, ...], start: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
    """F_0 (N, H, W, C), and its share of the image, (N, H, W, bands) padded to whole vectors."""
    samples, bands, height, width = start.shape
    channels, wide = weights[-1].shape
    features = start.new_empty(samples, height, width, channels)
    image = start.new_empty(samples, height, width, wide)
    parts = -(-height * width // PART)
    run(
        compiled().begin,
        samples * parts,
        (height * width, bands, guide.shape[1], channels, wide, parts),
        inputs=(start, guide),
        weights=weights,
        outputs=(features, image),
    )
    return features, image


def _shrunk(weights: tuple[Tensor, ...], features: Tensor) -> Tensor:
    """`MultiScaleRASD.down`: (N, H, W, C) → (N, H/8, W/8, C)."""
    for weight, (stride, padding) in zip(weights, ((4, 2), (2, 1))):
        samples, height, width, channels = features.shape
        shape = samples, height // stride, width // stride, channels
        out = features.new_empty(shape)
        run(
            compiled().shrink,
            samples * shape[1],
            (height, width, *shape[1:], weight.shape[0], stride, padding),
            inputs=(features,),
            weights=(weight,),
            outputs=(out,),
        )
        features = out
    return features


def _merge(
    weights: tuple[Tensor, ...], inputs: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor]
) -> None:
    """Write F_n from both scales, and add its share to the image."""
    samples, height, width, channels = inputs[1].shape
    run(
        compiled().merge,
        samples * height,
        (width, channels, outputs[1].shape[-1]),
        inputs=inputs,
        weights=weights,
        outputs=outputs,
        scratch=SCALE * SCALE * SCALE * channels,
    )
