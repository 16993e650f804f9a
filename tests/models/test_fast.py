"""The compiled forward: each part, and the whole network, held to the readable classes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

pytest.importorskip("numba")

from rasd_fusion.models import RASDConfig, RASDFuNet, attention, fast, kernels
from rasd_fusion.models.fast import attention as fast_attention
from rasd_fusion.models.fast import order as fast_order
from rasd_fusion.models.fast import rasd as fast_rasd
from rasd_fusion.models.fast import weights as fast_weights
from rasd_fusion.models.gradient import Sobel
from rasd_fusion.models.layout import on_grid
from rasd_fusion.models.rasd import Refine
from rasd_fusion.models.routing import descending, routed_grid
from rasd_fusion.models.scan import compiling

CONFIG = RASDConfig(5, 2, stages=1)
CLOSE = {"rtol": 1e-4, "atol": 2e-5}


def network(config: RASDConfig = CONFIG, seed: int = 0) -> RASDFuNet:
    """Weights as after some training: no bias is zero, no norm the identity."""
    torch.manual_seed(seed)
    net = RASDFuNet(config).eval()
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if weight.dim() == 1 and "scan" not in name:
                weight.add_(0.2 * torch.randn_like(weight))
    return net


def pair(samples: int, height: int, width: int, config: RASDConfig = CONFIG):
    generator = torch.Generator().manual_seed(height * 1000 + width)
    bands = (config.hs_bands, config.guide_bands)
    return [torch.rand(samples, b, height, width, generator=generator) for b in bands]


def parts(seed: int = 0, config: RASDConfig = CONFIG):
    """A RASD module and its arranged weights."""
    weights = fast_weights.arranged(network(config, seed)).stages[0].fine
    return weights.part, weights


def routed(samples: int, height: int, width: int, count: int):
    """Random features and confidences, their order, and what `_clusters` makes of it."""
    features, confidence = (
        torch.randn(samples, height, width, 32),
        torch.rand(samples, height, width),
    )
    order = descending(confidence.flatten(1))
    return features, confidence, order, *fast_rasd._clusters(confidence.flatten(1), count)


def fixed_order(monkeypatch, samples: int, count: int) -> None:
    """One order for both forms: by the score, rounding would swap points that are nearly level."""
    order = descending(torch.rand(samples, count))
    monkeypatch.setattr(attention, "descending", lambda keys: order)
    monkeypatch.setattr(fast_attention, "ordered", lambda keys, first: order.after(first))


def assert_same_but_for_close_calls(found, expected):
    """Points of nearly the same confidence or score may change places, and few do."""
    error = (found - expected).abs()
    assert error.mean() < 1e-3 and error.max() < 0.2, (error.mean(), error.max())


sizes = pytest.mark.parametrize(
    "samples, height, width", [(1, 2, 2), (2, 9, 7), (1, 17, 65), (3, 40, 33), (1, 64, 80)]
)


@torch.no_grad()
def value_without_kernels(net, start, guide, ratio):
    return net._fused(start, guide, ratio)


@torch.no_grad()
@sizes
def test_discriminator_and_ranges(samples, height, width):
    part, weights = parts()
    features = torch.randn(samples, height, width, 32) + torch.randn(32)
    confidence, span = fast_rasd._discerned(weights, features)
    torch.testing.assert_close(confidence, part.discriminator(features), **CLOSE)
    expected = features.amax((1, 2)) - features.amin((1, 2))
    torch.testing.assert_close(span, expected.clamp_min(1e-6))


@torch.no_grad()
@sizes
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_branch(monkeypatch, samples, height, width, heads):
    part, weights = parts(config=RASDConfig(5, 2, stages=1, heads=heads))
    first = height * width // 3
    features, confidence, order, _, chosen = routed(samples, height, width, first)
    fixed_order(monkeypatch, samples, height * width - first)
    sobel = Sobel(32)
    span = (features.amax((1, 2)) - features.amin((1, 2))).clamp_min(1e-6)
    plain, trust, edges = (
        order.sort(x.flatten(1, 2))[:, first:]
        for x in (features, confidence[..., None], sobel(features))
    )
    expected = part.attention(plain, (1 - trust) * plain, edges)
    found = fast_attention.attended(weights, features, confidence, span, chosen)
    by_confidence = found.flatten(0, 1)[chosen.ranks].view_as(expected)
    torch.testing.assert_close(by_confidence, expected, **CLOSE)


@torch.no_grad()
@sizes
@pytest.mark.parametrize("terms", [1, 3])
def test_low_rank_branch(samples, height, width, terms):
    part, weights = parts(config=RASDConfig(5, 2, stages=1, terms=terms))
    grid = (height // 2, width - 1)
    count = grid[0] * grid[1]
    features, confidence, order, slots, _ = routed(samples, height, width, count)
    low = order.sort((confidence[..., None] * features).flatten(1, 2))[:, :count]
    planes, joined = fast_rasd._low_rank(weights, features, confidence, slots, grid)
    found = low * (part.low_rank.join.bias + planes.transpose(1, 2) @ joined)
    torch.testing.assert_close(found, part.low_rank(low, grid), **CLOSE)


@torch.no_grad()
@sizes
def test_refinement_puts_both_clusters_back(samples, height, width):
    part, weights = parts()
    count = height * width // 2
    features, confidence, order, slots, chosen = routed(samples, height, width, count)
    planes, joined = torch.randn(samples, 2, count), torch.randn(samples, 2, 32)
    trust = order.sort(confidence.flatten(1)[..., None])[:, :count]
    low = trust * order.sort(features.flatten(1, 2))[:, :count]
    low = low * (part.low_rank.join.bias + planes.transpose(1, 2) @ joined)
    rest = torch.randn(samples, height * width - count, 32)
    by_row = torch.empty(chosen.ranks.numel(), 32)
    by_row[chosen.ranks] = rest.flatten(0, 1)
    back = order.restore(torch.cat((low, rest), 1)).view_as(features)
    expected = features + part.refine(back, features)
    inputs = features, confidence, planes, joined, by_row
    found = fast_rasd._refined(weights, inputs, slots, count)
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("samples, count", [(1, 1), (3, 777), (2, 5000)])
def test_order_by_radix(samples, count):
    """Keys on every digit, many of them equal, and rows that come in another order."""
    keys = torch.rand(samples, count) ** 20
    keys[:, ::3] = 0.25
    expected, found = descending(keys), fast_order.ordered(keys)
    assert torch.equal(found.there, expected.there) and torch.equal(found.back, expected.back)
    first = descending(torch.rand(samples, count)).there
    expected = descending(keys.flatten()[first].view(keys.shape)).after(first)
    found = fast_order.ordered(keys, first)
    assert torch.equal(found.there, expected.there) and torch.equal(found.back, expected.back)


@torch.no_grad()
@pytest.mark.parametrize("samples, height, width", [(1, 16, 16), (2, 24, 56), (1, 64, 136)])
def test_way_to_the_coarse_scale(samples, height, width):
    net, features = network(), torch.randn(samples, height, width, 32)
    expected = on_grid(net.stages[0].down, features)
    found = fast.network._shrunk(fast_weights.arranged(net).stages[0].shrink, features)
    torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(
    "samples, height, width, config",
    [
        (1, 16, 16, RASDConfig(1, 1, stages=1)),
        (2, 24, 40, RASDConfig(31, 3, stages=2)),
        (1, 48, 16, RASDConfig(16, 17, channels=64, heads=4, terms=1, stages=1)),
        (3, 21, 30, RASDConfig(33, 4, stages=2, heads=1)),
    ],
)
def test_whole_network(samples, height, width, config, ratio):
    net = network(config)
    start, guide = pair(samples, height, width, config)
    assert fast.usable(net, start)
    found = net(start, guide, ratio)
    padding = (0, -width % 8, 0, -height % 8)
    padded = [torch.nn.functional.pad(x, padding, mode="replicate") for x in (start, guide)]
    image, maps = value_without_kernels(net, *padded, ratio)
    assert_same_but_for_close_calls(found.image, image[..., :height, :width])
    fine = torch.stack([stage[0] for stage in maps], 1)[..., :height, :width]
    assert_same_but_for_close_calls(found.confidence[:, ::2], fine)


@torch.no_grad()
@pytest.mark.parametrize("samples, height, width", [(1, 96, 72), (2, 24, 40)])
def test_whole_network_routed_by_content(samples, height, width):
    net, given = (
        network(RASDConfig(31, 3, stages=2)),
        pair(samples, height, width, RASDConfig(31, 3)),
    )
    found, fixed = net(*given, 0.2, auto=True), net(*given, 0.2)
    assert found.low_rank_share > fixed.low_rank_share + 0.1
    image, maps = net._fused(*given, 0.2, True)
    assert_same_but_for_close_calls(found.image, image)
    for place, stage in enumerate(maps):
        # Not so near to a half as to be counted otherwise.
        for mine, theirs in zip(found.confidence[:, 2 * place : 2 * place + 2].unbind(1), stage):
            step = mine.shape[1] // theirs.shape[1]
            mine = mine[:, ::step, ::step]
            assert routed_grid(mine, 0.2, True) == routed_grid(theirs, 0.2, True)
    assert torch.equal(net(*given, 1.0, auto=True).image, net(*given, 1.0).image)


@torch.no_grad()
def test_a_larger_image():
    net = network(RASDConfig(31, 3))
    given = pair(1, 96, 104, net.config)
    expected = value_without_kernels(net, *given, 0.5)[0]
    assert_same_but_for_close_calls(net(*given, 0.5).image, expected)


@torch.no_grad()
def test_changed_weights_are_seen():
    net, other, given = network(), network(seed=1), pair(1, 16, 16)
    first = net(*given, 0.5).image
    net.load_state_dict(other.state_dict())
    second = net(*given, 0.5).image
    assert torch.equal(second, other(*given, 0.5).image)
    assert (second - first).abs().max() > 1e-3
    net.stages[0].up.bias.add_(0.1)
    assert (net(*given, 0.5).image - second).abs().max() > 1e-3
    net.reconstruct.weight.data = torch.zeros_like(net.reconstruct.weight)
    assert torch.equal(net(*given, 0.5).image, given[0])


def test_a_network_made_in_inference_mode_works():
    with torch.inference_mode():
        net, given = network(), pair(1, 16, 16)
        first = net(*given, 0.5).image
        net.reconstruct.weight.zero_()
        assert not torch.equal(first, given[0])
        assert torch.equal(net(*given, 0.5).image, given[0])


@torch.no_grad()
def test_the_number_of_threads_changes_nothing_but_the_time():
    net, given, usual = network(), pair(2, 72, 64), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(net(*given, 0.4).image)
    finally:
        torch.set_num_threads(usual)
    assert_same_but_for_close_calls(found[1], found[0])
    assert_same_but_for_close_calls(found[2], found[0])


@torch.no_grad()
def test_nan_in_the_image_stays_in_it():
    """What is not a number must not pass for one, nor end the process."""
    net, (start, guide) = network(), pair(1, 24, 24)
    start[0, 0, 3, 4] = torch.nan
    assert net(start, guide, 0.5).image.isnan().any()


def test_used_where_it_can_be_alone(monkeypatch):
    net, start = network(), torch.zeros(1, 5, 16, 16)
    with torch.no_grad():
        assert fast.usable(net, start)
        assert not fast.usable(net, start.double())
        assert not fast.usable(network(RASDConfig(5, 2, channels=8)), start)
        assert not fast.usable(network(RASDConfig(5, 2, heads=8)), start)
        monkeypatch.setattr(fast.network, "compiled", lambda: None)
        assert not fast.usable(net, start)
        monkeypatch.undo()
    assert not fast.usable(net, start)


class Otherwise(Refine):
    """A part that someone wrote anew."""


@torch.no_grad()
def test_a_changed_part_is_left_to_torch():
    start = torch.zeros(1, 5, 16, 16)
    net = network()
    net.stages[0].fine.refine = Otherwise(32)
    assert not fast.usable(net, start)
    net = network()
    hook = net.stages[0].coarse.register_forward_hook(lambda *_: None)
    assert not fast.usable(net, start)
    hook.remove()
    assert fast.usable(net, start)
    net.stages[0].fine.sobel.forward = lambda features: features
    assert not fast.usable(net, start)


def test_without_numba_torch_alone_gives_the_image(monkeypatch):
    net, given = network(), pair(1, 24, 16)
    with torch.no_grad():
        expected = net(*given, 0.5).image
        monkeypatch.setattr(fast.network, "compiled", lambda: None)
        monkeypatch.setattr(kernels, "run", None)
        found = net(*given, 0.5).image
    assert_same_but_for_close_calls(found, expected)


def test_a_kernel_refuses_what_is_not_contiguous():
    with pytest.raises(ValueError, match="contiguous"):
        kernels.run(lambda *_: None, 1, (), inputs=(torch.zeros(4, 4).T,))


def test_training_and_gradients_do_without_kernels():
    net, given = network(), pair(1, 16, 16)
    net(*given, 0.5).image.sum().backward()
    assert all(weight.grad is not None for weight in net.parameters())
    net.train()
    with torch.no_grad():
        first, second = net(*given, 0.0).image, net(*given, 0.0).image
    assert not torch.equal(first, second)


def test_kernels_that_two_threads_compile_lie_in_one_folder():
    """Else what the set-up compiled is not found by the run after it."""

    def folder(_: int) -> str:
        with compiling._cached_for_user():
            time.sleep(0.05)
            return compiling.config.CACHE_DIR

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(folder, range(2)))) == 1
