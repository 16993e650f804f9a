"""The benchmark for a card, as far as a processor can run it."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.benchmarks import bench_gpu
from rasd_fusion.models import scan

CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA card is here")
def test_without_a_card_nothing_is_measured_and_it_says_so(capsys):
    assert bench_gpu.main([]) == 2
    assert "No CUDA card" in capsys.readouterr().err


def test_a_right_scan_has_small_errors_and_a_wrong_one_shows():
    assert max(bench_gpu.errors(scan.blocked_scan, CPU, dry=True).values()) < 1e-5

    def wrong(u, delta, A, B, C, D, bias):
        return scan.blocked_scan(u, delta, A, B, 1.01 * C, D, bias)

    found = bench_gpu.errors(wrong, CPU, dry=True)
    assert found["C"] == pytest.approx(0.01, rel=1e-2)
    nothing = bench_gpu.errors(lambda u, *rest: wrong(u, *rest) * torch.nan, CPU, dry=True)
    assert not nothing["y"] < 1


def test_the_network_runs_with_the_scan_under_test():
    asked = []

    def form(*arguments):
        asked.append(arguments[0].shape)
        return scan.blocked_scan(*arguments)

    net, pair = bench_gpu.network(CPU), bench_gpu.images(CPU, 1, 16)
    usual = scan._fastest
    with bench_gpu.using(form):
        u = torch.zeros(1, 2, 3)
        scan.selective_scan(u, u, -torch.ones(2, 1), *[u[:, :1]] * 2, *[torch.zeros(2)] * 2)
        bench_gpu.run(net, *pair, 0.5)
    assert asked[0] == (1, 2, 3)
    assert scan._fastest is usual


def test_the_report_names_every_form_and_figure():
    figures = {
        "absent": "nvrtc: none",
        "errors": {"blocked": {"y": 1e-7}},
        "scans_ms": {"blocked": {"tile": 12.345}},
        "network_ms": {"blocked": {"forward r=0.5": 9.0}},
        "precision": {"TF32": {"ms": 5.0, "change": 0.001}},
        "graph": {"ms": 4.0, "same": True, "why": ""},
    }
    text = bench_gpu.report(figures, 512)
    for word in ("512x512", "nvrtc: none", "12.3", "TF32", "4 ms, the same pixels: True"):
        assert word in text
