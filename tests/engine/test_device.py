"""Devices: a GPU's failures in words; how a card is prepared is seen on one alone."""

from __future__ import annotations

import io

import pytest
import torch

from rasd_fusion.rasd_qgis.engine.service import device, serve
from rasd_fusion.rasd_qgis.engine.service.report import Reporter

needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card here")


def test_a_full_gpu_is_told_as_such():
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nX")
    told = device.trouble(full, "fuse")
    assert told is not None
    assert "Tried to allocate 2 GiB" in str(told)
    assert "TILE_SIZE" in told.advice
    assert "X" not in str(told)
    metal = device.trouble(RuntimeError("MPS backend out of memory (…)"), "train")
    assert metal is not None
    assert "DEVICE cpu" in metal.advice
    assert "TILE_SIZE" not in metal.advice


def test_a_broken_gpu_is_told_as_such():
    for error in (
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA driver: unspecified launch failure (719)"),
    ):
        told = device.trouble(error, "fuse")
        assert told is not None
        assert "DEVICE cpu" in told.advice


@pytest.mark.parametrize("error", [ValueError("shape"), MemoryError(), RuntimeError("no such op")])
def test_other_errors_are_no_gpu_s(error):
    assert device.trouble(error, "fuse") is None


def test_the_failure_that_is_sent_is_the_device_s():
    failure = serve._unforeseen(torch.OutOfMemoryError("CUDA out of memory."), "fuse")
    assert failure.kind == "device"
    assert failure.message.startswith("The GPU ran out of memory")


def test_the_processor_is_left_as_it_is():
    device.choose_device("cpu", Reporter(io.StringIO()))
    assert not torch.are_deterministic_algorithms_enabled()


@needs_card
def test_a_card_is_prepared_and_its_scan_told():
    told = io.StringIO()
    device.choose_device("cuda", Reporter(told))
    assert not torch.backends.cudnn.allow_tf32
    assert "selective scan" in told.getvalue()
