"""Devices: where the network runs, and what the engine is made of."""

from __future__ import annotations

import os
import platform

import numpy
import rasterio
import torch

from ....models import choice_for
from ...contract.errors import DeviceError
from ...contract.lighter import lighter
from . import precision
from .report import Reporter

_NAMES = {"cuda": "NVIDIA GPU (cuda)", "mps": "Apple GPU (mps)", "xpu": "Intel GPU (xpu)"}


def available() -> list[str]:
    """The devices torch offers here, the best first; the CPU is always the last."""
    offered = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "xpu": torch.xpu.is_available,
    }
    return [name for name, there in offered.items() if there()] + ["cpu"]


def choose_device(name: str, reporter: Reporter) -> torch.device:
    """The device of that name, or for "auto" the best; DeviceError where it is not there."""
    here = available()
    if name == "auto":
        name = here[0]
    if name not in here:
        raise DeviceError(
            f"The device asked for, {_NAMES.get(name, name)}, is not available to the engine.",
            f"Available here: {', '.join(here)}; choose one of them, or auto.",
        )
    reporter.log(f"Device: {name}")
    if name == "cuda":
        _prepare_card(reporter)
    return torch.device(name)


def trouble(error: Exception, task: str) -> DeviceError | None:
    """A GPU's failure in an analyst's words; None where the error is no GPU's.

    task: of the request that met it.
    """
    text = str(error).strip().split("\n")[0]
    # Metal's is a plain RuntimeError.
    if isinstance(error, torch.OutOfMemoryError) or text.startswith("MPS backend out of memory"):
        return DeviceError(
            f"The GPU ran out of memory ({text}).",
            f"{lighter(task)}, close other programs that use the GPU, or choose DEVICE cpu.",
        )
    if isinstance(error, torch.AcceleratorError) or text.startswith("CUDA driver"):
        return DeviceError(
            f"The GPU failed ({text}).", "Run it again; if it fails again, choose DEVICE cpu."
        )
    return None


def _prepare_card(reporter: Reporter) -> None:
    """Settings under which an NVIDIA card gives the same pixels for the same seed, and its scan.

    TF32 is off (torch has it on for convolutions) unless a self-test found that it holds.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else each new tensor is written twice.
    torch.utils.deterministic.fill_uninitialized_memory = False
    card = torch.device("cuda", torch.cuda.current_device())
    shortened = precision.remembered(card)
    precision.set_tf32(shortened)
    scan = choice_for(card)
    name = torch.cuda.get_device_name(card)
    products = "TF32" if shortened else "single precision"
    reporter.log(f"GPU: {name}; selective scan: {scan.name} ({scan.why}); products: {products}")


def versions() -> dict[str, str]:
    """Name → version of what computes the pixels."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rasterio": rasterio.__version__,
        "gdal": rasterio.__gdal_version__,
        "numpy": numpy.__version__,
    }


def probe() -> dict[str, object]:
    """What the engine is: versions, devices, threads."""
    return {
        "versions": versions(),
        "devices": available(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "",
        "threads": torch.get_num_threads(),
    }
