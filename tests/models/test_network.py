"""The whole network: shapes, ratios, sizes, and what must not change its pixels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.models import RASDConfig, RASDFuNet

PUBLISHED_PARAMETERS = 938_000
SMALL = RASDConfig(5, 2, channels=8, stages=2)


def network(config: RASDConfig = SMALL, seed: int = 0) -> RASDFuNet:
    torch.manual_seed(seed)
    return RASDFuNet(config).eval()


def pair(samples: int, height: int, width: int, config: RASDConfig = SMALL):
    generator = torch.Generator().manual_seed(height * 1000 + width)
    bands = (config.hs_bands, config.guide_bands)
    return [torch.rand(samples, b, height, width, generator=generator) for b in bands]


def test_paper_configuration_has_the_published_number_of_weights():
    weights = dict(RASDFuNet(RASDConfig(31, 3)).named_parameters())
    count = sum(weight.numel() for weight in weights.values())
    assert count == 922_792
    assert sum(weights[name].numel() for name in weights if name.endswith("bias")) == 18_032
    assert abs(count / PUBLISHED_PARAMETERS - 1) < 0.03


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2), st.integers(16, 50), st.integers(16, 50), st.floats(0, 1))
def test_any_sides_and_any_ratio(samples, height, width, ratio):
    with torch.no_grad():
        fused = network()(*pair(samples, height, width), ratio)
    assert fused.image.shape == (samples, 5, height, width)
    assert fused.confidence.shape == (samples, 4, height, width)
    assert fused.image.isfinite().all()
    assert 0 <= fused.confidence.min() and fused.confidence.max() <= 1
    assert 0 <= fused.low_rank_share <= 1


def test_sides_are_padded_by_repetition():
    net, (start, guide) = network(), pair(1, 21, 30)
    padded = [torch.nn.functional.pad(x, (0, 2, 0, 3), mode="replicate") for x in (start, guide)]
    with torch.no_grad():
        odd, even = net(start, guide, 0.5), net(*padded, 0.5)
    assert torch.equal(odd.image, even.image[..., :21, :30])
    assert torch.equal(odd.confidence, even.confidence[..., :21, :30])


@pytest.mark.parametrize(
    "ratio, share", [(0.0, 0.0), (0.5, (45 * 45 + 5 * 5) / (64 * 64 + 8 * 8)), (1.0, 1.0)]
)
def test_share_counts_the_points_of_both_scales(ratio, share):
    with torch.no_grad():
        assert network()(*pair(1, 64, 64), ratio).low_rank_share == pytest.approx(share)


@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.0])
def test_share_by_content_is_what_the_low_rank_branches_were_given(ratio):
    net, given = network(), pair(1, 40, 32)
    points = []
    for stage in net.stages:
        for part in (stage.fine, stage.coarse):
            part.low_rank.register_forward_pre_hook(lambda _, args: points.append(args[0].shape[1]))
    with torch.no_grad():
        fused, fixed = net(*given, ratio, auto=True), net(*given, ratio)
    whole = len(net.stages) * (40 * 32 + 5 * 4)
    routed = sum(points) - fixed.low_rank_share * whole
    assert fused.low_rank_share == pytest.approx(routed / whole)
    assert fused.low_rank_share >= fixed.low_rank_share
    assert torch.equal(fused.image, fixed.image) == (ratio == 1.0)


def test_confidence_goes_stage_by_stage_the_coarse_after_the_fine():
    with torch.no_grad():
        maps = network()(*pair(1, 24, 32), 0.5).confidence[0]
    blocks = maps.unfold(1, 8, 8).unfold(2, 8, 8)
    spread = blocks.amax((-1, -2)) - blocks.amin((-1, -2))
    assert not spread[1::2].any()
    assert (spread[0::2] > 0).all()


def test_reconstruction_reads_every_stage_in_order():
    """Reconstruction weights name F_N … in the order F_0, F_1, …; each part moves the image."""
    net, given = network(), pair(1, 16, 16)
    with torch.no_grad():
        net.start_from_skip()
        assert torch.equal(net(*given, 0.5).image, given[0])
        for part in range(3):
            net.start_from_skip()
            net.reconstruct.weight[:, part * 8 : part * 8 + 8] = 1
            assert (net(*given, 0.5).image - given[0]).abs().max() > 1e-3


def test_a_zeroed_reconstruction_can_still_learn():
    net, (start, guide) = network(), pair(1, 16, 16)
    net.start_from_skip()
    (net(start, guide, 0.5).image - 1).abs().mean().backward()
    assert net.reconstruct.weight.grad.abs().min() > 0


def test_every_weight_gets_a_gradient():
    net = network().train()
    net(*pair(2, 24, 24), 0.5).image.square().mean().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_samples_of_a_batch_do_not_touch(ratio):
    net, (start, guide) = network(), pair(3, 24, 16)
    with torch.no_grad():
        together = net(start, guide, ratio)
        for n in range(3):
            alone = net(start[n : n + 1], guide[n : n + 1], ratio)
            torch.testing.assert_close(together.image[n], alone.image[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                together.confidence[n], alone.confidence[0], rtol=1e-4, atol=1e-5
            )


def test_the_same_seed_gives_the_same_pixels_and_gradients():
    results = []
    for _ in range(2):
        net = network(seed=7).train()
        image = net(*pair(2, 24, 24), 0.4).image
        image.abs().mean().backward()
        results.append([image.detach(), *(p.grad for p in net.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results))


def test_eval_draws_nothing_from_the_generator():
    net, given = network(), pair(1, 24, 24)
    before = torch.get_rng_state()
    with torch.no_grad():
        first, second = net(*given, 0.5).image, net(*given, 0.5).image
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_the_ratio_changes_the_image_and_not_the_weights():
    net, given = network(), pair(1, 24, 24)
    weights = [p.clone() for p in net.parameters()]
    with torch.no_grad():
        images = [net(*given, r).image for r in (0.0, 0.3, 0.7, 1.0)]
    assert all((a - b).abs().max() > 1e-4 for a, b in zip(images, images[1:]))
    assert all(torch.equal(a, b) for a, b in zip(weights, net.parameters()))


def test_twenty_thousand_points_in_one_scan_stay_finite():
    net = network(RASDConfig(5, 2, channels=32, stages=1))
    start, guide = pair(1, 144, 144)
    with torch.no_grad():
        fused = net(start, guide, 0.0)
    assert fused.image.isfinite().all() and fused.image.abs().max() < 100


def test_works_in_double_precision_close_to_single():
    net, (start, guide) = network(), pair(1, 24, 24)
    with torch.no_grad():
        single = net(start, guide, 1.0).image
        double = net.double()(start.double(), guide.double(), 1.0).image
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-4)


def test_weights_survive_a_round_trip_by_name():
    net, other, given = network(seed=1), network(seed=2), pair(1, 16, 24)
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(net(*given, 0.5).image, other(*given, 0.5).image)


@pytest.mark.parametrize(
    "start, guide, ratio, complaint",
    [
        ((1, 4, 16, 16), (1, 2, 16, 16), 0.5, "expected"),
        ((1, 5, 16, 16), (1, 3, 16, 16), 0.5, "expected"),
        ((5, 16, 16), (2, 16, 16), 0.5, "expected"),
        ((1, 5, 16, 16), (1, 2, 16, 24), 0.5, "lie together"),
        ((2, 5, 16, 16), (1, 2, 16, 16), 0.5, "lie together"),
        ((1, 5, 15, 16), (1, 2, 15, 16), 0.5, "at least 16"),
        ((1, 5, 16, 16), (1, 2, 16, 16), 1.01, "ratio"),
        ((1, 5, 16, 16), (1, 2, 16, 16), float("nan"), "ratio"),
    ],
)
def test_refuses_what_it_cannot_fuse(start, guide, ratio, complaint):
    with pytest.raises(ValueError, match=complaint):
        network()(torch.zeros(start), torch.zeros(guide), ratio)


def test_declares_what_it_needs_of_a_tile():
    tiling = RASDFuNet.tiling
    side = tiling.least
    with torch.no_grad():
        assert network()(*pair(1, side, side), 0.5).image.shape[-1] == side
    assert side % tiling.multiple == 0 and tiling.halo % tiling.multiple == 0
