"""Devices: where the network runs, and what the engine is made of."""

from __future__ import annotations

import platform

import numpy
import rasterio
import torch

from ..contract.errors import DeviceError
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
    return torch.device(name)


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
