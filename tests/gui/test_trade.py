"""The trade of the routing ratio: measured curves, told in one line."""

from __future__ import annotations

import pytest

from rasd_fusion.rasd_qgis.gui.trade import Curves, describe_trade, load_curves

CURVES = Curves("a scene", (0.0, 0.5, 1.0), (1.0, 0.7, 0.5), (1.0, 1.0, 0.8), (40.0, 40.2, 39.0))


def test_what_ships_was_measured_over_the_whole_dial():
    curves = load_curves()
    assert (curves.ratios[0], curves.ratios[-1]) == (0.0, 1.0)
    assert list(curves.ratios) == sorted(set(curves.ratios))
    assert len(curves.time) == len(curves.memory) == len(curves.psnr) == len(curves.ratios) >= 11
    assert curves.time[0] == curves.memory[0] == 1.0
    assert curves.at(curves.time, 0.9) < 1.0


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.0, "0 % of the points through the low-rank branch; network time unchanged"),
        (0.25, "network time −15 %, memory unchanged, expected loss 0.10 dB"),
        (1.0, "network time −50 %, memory −20 %, expected loss 1.20 dB"),
    ],
)
def test_it_is_told_in_one_line(ratio, words):
    assert words in describe_trade(ratio, CURVES)
