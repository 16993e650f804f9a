"""The plain build of the network, and the network in use held to it: values, gradients, FLOPs."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.benchmarks.plain import layer_operations, plain_forward
from rasd_fusion.models import RASDConfig, RASDFuNet

CONFIG = RASDConfig(5, 2, stages=2)


def network(config: RASDConfig = CONFIG) -> RASDFuNet:
    torch.manual_seed(3)
    return RASDFuNet(config).eval()


def pair(net: RASDFuNet, samples: int, height: int, width: int):
    generator = torch.Generator().manual_seed(0)
    bands = (net.config.hs_bands, net.config.guide_bands)
    return [torch.rand(samples, b, height, width, generator=generator) for b in bands]


@torch.no_grad()
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_the_network_in_use_is_the_plain_one(ratio):
    net = network()
    given = pair(net, 2, 24, 40)
    ours, plain = net(*given, ratio).image, plain_forward(net, *given, ratio)
    error = (ours - plain).abs()
    # points nearly level in confidence may change places
    assert error.mean() < 1e-3 * (plain - given[0]).abs().mean() and error.max() < 0.1
    given = [x.double() for x in given]
    net = net.double()
    torch.testing.assert_close(net(*given, ratio).image, plain_forward(net, *given, ratio))


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_its_gradients_are_the_plain_ones(ratio):
    net = network().double()
    given = [x.double().requires_grad_() for x in pair(net, 2, 16, 24)]
    leaves = [*given, *net.parameters()]
    gradients = []
    for image in (net(*given, ratio).image, plain_forward(net, *given, ratio)):
        loss = (image - 1).square().mean()
        gradients.append(
            torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        )
    for ours, plain in zip(*gradients):
        torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-10)


def test_operations_are_those_of_the_papers_convention():
    """models/README.md: 0.94 GFLOP on 31×8×8 + 3×64×64 at r = 0.5, as the equations are written."""
    net = RASDFuNet(RASDConfig(31, 3))
    assert layer_operations(net, 64, 64, 0.5) / 1e9 == pytest.approx(0.94, abs=0.005)


def test_operations_grow_with_the_points_and_fall_with_the_ratio():
    net = RASDFuNet(RASDConfig(31, 3))
    operations = [layer_operations(net, 64, 64, ratio) for ratio in (0.0, 0.5, 0.9)]
    assert operations == sorted(operations, reverse=True)
    # less than the paper's 31.72 % and 57.05 %, which is of its own count
    assert 1 - operations[1] / operations[0] == pytest.approx(0.30, abs=0.03)
    assert 1 - operations[2] / operations[0] == pytest.approx(0.55, abs=0.04)
    assert layer_operations(net, 128, 64, 0.0) == 2 * operations[0]
