"""The speed benchmark goes through in small, and its arithmetic is right."""

from __future__ import annotations

import pytest
import torch

from rasd_fusion.benchmarks import bench_speed, scans
from rasd_fusion.benchmarks.peers import cnmf


def test_goes_through_in_small(capsys, monkeypatch):
    saved = []
    monkeypatch.setattr(cnmf, "UPDATES", 2)
    monkeypatch.setattr(bench_speed, "save", lambda *report: saved.append(report))
    assert bench_speed.main(["--dry", "--turns", "1"]) == 0
    out = capsys.readouterr().out
    assert (
        "× rasd:fuse" in out
        and "CNMF" in out
        and "× limit" in out
        and "32×32" in out
        and "ours, compiled" in out
    )
    assert not saved


def test_a_form_that_differs_ends_it(capsys, monkeypatch):
    wrong = {"ours, compiled": lambda *given: scans.scan.reference_scan(*given) * 1.01}
    monkeypatch.setattr(bench_speed.scans, "forms", lambda: (wrong, []))
    assert bench_speed.main(["--dry"]) == 1
    assert "nothing was measured" in capsys.readouterr().err


def test_exponent_is_that_of_the_number_of_pixels():
    sides = {side: {"over_smallest": (side / 64) ** 2.2} for side in (64, 128, 256, 512)}
    assert bench_speed.exponent(sides) == pytest.approx(1.1)


def test_ratios_are_of_the_same_turn():
    times = {"a": [1.0, 20.0, 3.0], "b": [1.0, 10.0, 1.0]}
    assert bench_speed.over(times, "a", "b") == 2.0


@pytest.mark.parametrize("name", sorted(scans.forms()[0]))
def test_every_scan_is_the_sequential_one(name):
    given = scans.example(90, samples=2, channels=16, states=4)
    found, wanted = scans.forms()[0][name](*given), scans.scan.reference_scan(*given)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
