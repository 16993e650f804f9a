"""Routing and terms by content: what the benchmark trains, stops and tells."""

from __future__ import annotations

import torch

from rasd_fusion.benchmarks import adaptive_report
from rasd_fusion.benchmarks.bench_adaptive import LEAST, used
from rasd_fusion.benchmarks.stopping import Stopping, put_into, residuals
from rasd_fusion.models import RASDConfig, RASDFuNet


def test_residuals_are_those_written_out():
    torch.manual_seed(0)
    points, planes, colours = torch.randn(2, 12, 8), torch.randn(2, 3, 12), torch.randn(2, 3, 8)
    left, wanted = points, [points.square().sum((1, 2))]
    for k in range(3):
        left = left - planes[:, k, :, None] * colours[:, k, None]
        wanted.append(left.square().sum((1, 2)))
    torch.testing.assert_close(residuals(points, planes, colours), torch.stack(wanted, 1))


def test_terms_stop_at_the_first_that_lowers_nothing(monkeypatch):
    part = Stopping(8, 3)
    points = torch.rand(1, 6, 8)
    brightness = points.mean((1, 2)).sqrt()
    planes = torch.ones(1, 3, 6) * torch.tensor([0.5, -1.0, 0.5])[None, :, None] * brightness
    colours = torch.ones(1, 3, 8) * brightness
    monkeypatch.setattr(part, "terms_of", lambda *_: (planes, colours))
    found = part._decompose(points, (2, 3))[1]
    assert part.kept.tolist() == [1]
    assert torch.equal(found[:, :1], colours[:, :1]) and not found[:, 1:].any()
    planes[:, 1] = 0.25 * brightness
    part._decompose(points, (2, 3))
    assert part.kept.tolist() == [2]


def test_a_network_that_stops_has_the_weights_it_had_and_learns():
    network = RASDFuNet(RASDConfig(4, 2, channels=8, stages=1, terms=3))
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    branches = put_into(network)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    network(torch.rand(2, 4, 16, 16), torch.rand(2, 2, 16, 16), 0.5).image.sum().backward()
    assert [branch.kept.shape for branch in branches] == [(2,), (2,)]
    assert all(branch.terms[0].plane[0].weight.grad.any() for branch in branches)


def report(training: str, seed: int, gain: float) -> dict:
    def use(ratio: float, auto: bool) -> dict[str, float]:
        share = max(ratio, 0.625) if auto else ratio
        return {"PSNR": 30 + seed + gain * auto, "SAM": 2.0, "share": share, "seconds": 0.1}

    return {
        "settings": {"scene": "cave", "steps": 3},
        "training": training,
        "seed": seed,
        "uses": used(use),
        "kept": [1.0, 2.0] if training == "stops" else None,
    }


def test_by_content_is_compared_with_the_same_share_and_seed():
    uses = report("drawn ratios", 0, 0.5)["uses"]
    assert [uses[f"auto, r ≥ {least:g}"]["share"] for least in LEAST] == [0.625, 0.625]
    assert uses["r = share of auto, r ≥ 0.5"]["share"] == 0.625
    reports = [report(name, s, 0.5) for name in ("drawn ratios", "stops") for s in (0, 1, 2)]
    text = adaptive_report.render(reports)
    line = next(x for x in text.splitlines() if x.startswith("| drawn ratios | auto, r ≥ 0.5 |"))
    assert "31.500 ± 1.000" in line and "+0.500 ± 0.000 better" in line
    assert "stage by stage): 1.0, 2.0." in text
