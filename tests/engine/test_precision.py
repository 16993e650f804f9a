"""TF32 by what it costs and gains: decided, remembered, and off where nobody found it to hold."""

from __future__ import annotations

import time

import pytest
import torch

from rasd_fusion.models.scan import choice
from rasd_fusion.rasd_qgis.engine.service import precision

CPU = torch.device("cpu")


def trial(change: float, slower_when_off: float) -> precision.Trial:
    """Of an image whose values a switch changes, and whose time."""
    state = {"on": False}

    def image() -> torch.Tensor:
        if not state["on"]:
            time.sleep(slower_when_off)
        return torch.linspace(0, 2, 50) + 2 * change * state["on"]

    found = precision.tried(image, lambda on: state.update(on=on), CPU)
    assert not state["on"]
    return found


def test_what_it_changes_and_gains_decides():
    found = trial(5e-4, 0.02)
    assert found.change == pytest.approx(5e-4, rel=1e-3) and found.gain > 1.1 and found.holds()
    assert not trial(5e-3, 0.02).holds()
    assert not precision.Trial(0.0, 1.0).holds()
    assert not precision.Trial(float("nan"), 9.0).holds()


def test_the_decision_is_remembered_for_this_very_device(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "kernel_cache", lambda named: tmp_path)
    monkeypatch.setattr(precision, "SIDE", 16)
    assert not precision.remembered(CPU)
    switched = []
    monkeypatch.setattr(precision, "set_tf32", switched.append)
    monkeypatch.setattr(precision, "tried", lambda *_: precision.Trial(1e-5, 2.0))
    precision.find(CPU)
    assert precision.remembered(CPU) and switched == [True]
    monkeypatch.setattr(precision, "tried", lambda *_: precision.Trial(1e-2, 2.0))
    precision.find(CPU)
    assert not precision.remembered(CPU) and switched == [True, False]
