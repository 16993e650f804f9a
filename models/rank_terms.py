"""The rank-1 terms in two compiled calls, forward and backward, in place of hundreds of small ones.

The readable form is `LowRank.terms_of`, which comes here where it can.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .kernels import compiled, run


def usable(means: Tensor) -> bool:
    """Whether `decomposed` can do these."""
    return means.device.type == "cpu" and means.dtype == torch.float32 and compiled() is not None


def decomposed(
    means: tuple[Tensor, Tensor, Tensor], weights: list[Tensor], terms: int
) -> tuple[Tensor, Tensor]:
    """Planes (N, K, h·w) and colours (N, K, C) from the means (N, h), (N, w), (N, C).

    weights: a term's fourteen, in the order of kernels/terms.py, term after term.
    """
    planes, shades = _Decompose.apply(terms, *means, *weights)
    return planes, shades


class _Decompose(torch.autograd.Function):
    """The number of terms, the three means and the weights → planes and colours."""

    @staticmethod
    def forward(ctx: Any, terms: int, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        given = [tensor.contiguous() for tensor in tensors]
        means, weights = given[:3], given[3:]
        samples, height, width, channels = means[0].shape[0], *(x.shape[1] for x in means)
        lengths = (height + width + channels,) * 2
        sizes = (height * width, channels, *lengths, height * width, channels // 4)
        outputs = [means[0].new_empty(samples, terms, s) for s in (*sizes, height + width + 1)]
        run(
            compiled().decompose,
            samples,
            (height, width, channels, terms),
            indices=(_addresses(weights),),
            inputs=tuple(means),
            outputs=tuple(outputs),
            scratch=height * width,
        )
        ctx.terms, ctx.sides = terms, (height, width, channels)
        ctx.save_for_backward(*outputs[1:], *weights)
        return outputs[0], outputs[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_planes: Tensor, d_shades: Tensor) -> tuple[Tensor | None, ...]:
        saved, weights = ctx.saved_tensors[:6], ctx.saved_tensors[6:]
        samples, points, length = saved[0].shape[0], d_planes.shape[-1], saved[1].shape[-1]
        d_means = d_planes.new_empty(samples, length)
        counts = [weight.numel() for weight in weights]
        gradients = d_planes.new_zeros(sum(counts)).split(counts)
        run(
            compiled().decompose_back,
            1,
            (samples, *ctx.sides, ctx.terms),
            indices=(_addresses(weights), _addresses(gradients)),
            inputs=(d_planes.contiguous(), d_shades.contiguous(), *saved),
            outputs=(d_means,),
            scratch=4 * points + ctx.sides[2] + length,
        )
        shaped = (gradient.view_as(weight) for gradient, weight in zip(gradients, weights))
        return None, *d_means.split(ctx.sides, dim=1), *shaped


def _addresses(tensors: Any) -> Tensor:
    return torch.tensor([tensor.data_ptr() for tensor in tensors])
