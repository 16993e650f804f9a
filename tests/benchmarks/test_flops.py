"""The count of operations, against hand counts and against what torch is seen to do."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rasd_fusion.benchmarks import bench_complexity, flops
from rasd_fusion.benchmarks.plain import plain_forward
from rasd_fusion.models import RASDConfig, RASDFuNet
from rasd_fusion.models.routing import low_rank_grid


def network(**shape: int) -> RASDFuNet:
    return RASDFuNet(RASDConfig(31, 3, **shape))


def test_the_papers_configuration_is_counted_as_its_equations_say() -> None:
    found = bench_complexity.counted(5, 0.5)
    assert found["millions"] == pytest.approx(0.938, rel=0.03)
    assert found["paper"] == pytest.approx(0.9425, abs=0.0005)


def test_all_decomposition_by_hand() -> None:
    """One stage at r = 1: C = 32, K = 2, 64 × 64 points and 8 × 8, layer by layer."""
    c, k = 32, 2
    discriminator = 2 * c * 4 + 4 * 9 + 2 * 4 * 9 + 8 * 4 + 4
    refine = 2 * c * c + 2 * 9 * c + c * c

    def module(side: int) -> int:
        points = side * side
        vectors = k * (2 * 3 * side + 3 * c + 2 * c * c // 4)
        return points * (discriminator + refine + k * 18 + k * c * c) + vectors

    down = 36 * c * c * 256 + 16 * c * c * 64
    up_and_join = 64 * c * c * 64 + 2 * c * c * 4096
    ends = 4096 * (34 * c + 2 * c * 31)
    expected = 2 * (module(64) + module(8) + down + up_and_join + ends)
    assert flops.count(network(stages=1), 64, 64, 1.0).layers == expected


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_layers_and_products_are_what_torch_runs_of_the_plain_form(ratio: float) -> None:
    """The plain form runs the equations as written; torch counts its convolutions and products."""
    net = network(stages=2)
    with torch.no_grad(), FlopCounterMode(display=False) as seen:
        plain_forward(net, torch.rand(1, 31, 64, 64), torch.rand(1, 3, 64, 64), ratio)
    found = flops.count(net, 64, 64, ratio)
    unlike = 0
    for side in (64, 8):
        rows, columns = low_rank_grid(side, side, ratio)
        low, rest = rows * columns, side * side - rows * columns
        unlike -= 2 * 2 * low * (1 + 32)  # outer products are multiplied out, not products to torch
        unlike += 2 * 2 * rest * 64 * 64 // 2  # and S is applied with the zeros between its heads
    assert seen.get_total_flops() == found.layers + found.products + 2 * unlike


def test_the_low_rank_branch_spares_what_the_paper_says_in_kind() -> None:
    full = {ratio: flops.count(network(), 64, 64, ratio).full for ratio in (0.0, 0.5, 0.9)}
    assert full[0.5] < 0.7 * full[0.0]
    assert full[0.9] < 0.55 * full[0.0]


def test_operations_grow_with_the_points() -> None:
    small, large = (flops.count(network(), side, side, 0.0) for side in (64, 128))
    assert large.full == 4 * small.full


def test_a_layer_of_unknown_place_is_an_error() -> None:
    net = network(stages=1)
    net.extra = nn.Linear(2, 2)
    with pytest.raises(KeyError, match="extra"):
        flops.count(net, 64, 64, 0.5)


def test_times_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_complexity, "_peak_of_its_own", bench_complexity.peak)
    found = bench_complexity.measured(32, 2)
    assert list(found) == list(bench_complexity.RATIOS)
    assert found[0.0]["change"] == 0.0
    for of in found.values():
        assert of["low"] <= of["change"] <= of["high"]
        assert of["seconds"] > 0


def test_a_larger_image_takes_more_memory() -> None:
    small, large = (bench_complexity._peak_of_its_own(side, 0.5) for side in (64, 256))
    assert large > small + 5
