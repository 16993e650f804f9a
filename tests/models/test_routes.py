"""The routing told from the confidence is the one that the branches were really given."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.models import RASDConfig, RASDFuNet, routing_maps
from rasd_fusion.models.routing import low_rank_grid


@pytest.fixture
def network():
    torch.manual_seed(0)
    return RASDFuNet(RASDConfig(5, 3, channels=8, stages=2)).eval()


def given_to_the_low_rank_branch(network, start, guide, ratio):
    """By stage and scale: the sum over channels of what the low-rank branch got, and M·F."""
    got, weighted, modules = [], [], []
    for stage in network.stages:
        modules += [stage.fine, stage.coarse]
    for module in modules:
        module.low_rank.register_forward_pre_hook(lambda _, args: got.append(args[0]))
        module.register_forward_hook(
            lambda _, args, out: weighted.append((out[1][..., None] * args[0], out[1]))
        )
    with torch.no_grad():
        fused = network(start, guide, ratio)
    return fused, got, weighted


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.9])
def test_the_maps_name_exactly_the_points_of_the_low_rank_branch(network, ratio):
    start, guide = torch.rand(2, 5, 24, 32), torch.rand(2, 3, 24, 32)
    fused, got, weighted = given_to_the_low_rank_branch(network, start, guide, ratio)
    maps = routing_maps(fused.confidence, ratio)
    assert len(got) == maps.shape[1] == 4
    for place, (points, (features, trust)) in enumerate(zip(got, weighted)):
        step = 24 // features.shape[1]
        mask = maps[:, place, ::step, ::step]
        for sample in range(2):
            chosen = features[sample][mask[sample]]
            order = torch.sort(trust[sample][mask[sample]], descending=True, stable=True).indices
            torch.testing.assert_close(chosen[order], points[sample])


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_the_share_is_the_one_the_ratio_asks_for(ratio):
    maps = routing_maps(torch.rand(1, 4, 32, 16), ratio)
    for scale, mask in enumerate(maps[0]):
        side = (32, 16) if scale % 2 == 0 else (4, 2)
        rows, columns = low_rank_grid(*side, ratio)
        assert int(mask.sum()) == rows * columns * (32 * 16) // (side[0] * side[1])


def test_a_size_that_the_network_would_pad_is_refused():
    with pytest.raises(ValueError, match="multiples of 8"):
        routing_maps(torch.rand(1, 2, 20, 16), 0.5)
