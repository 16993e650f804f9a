"""Costs: the time and the memory of one call, not of what came before it."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from rasd_fusion.benchmarks.measure import cost


def test_seconds_and_value_are_the_calls() -> None:
    found = cost(lambda: time.sleep(0.2) or "done")
    assert found.value == "done"
    assert 0.2 <= found.seconds < 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets an earlier peak")
def test_peak_is_what_the_call_took_and_gave_back() -> None:
    np.ones(60 * 2**17).sum()  # 60 MiB before the call
    found = cost(lambda: float(np.ones(40 * 2**17).sum()))
    assert found.peak == pytest.approx(40, abs=6)
