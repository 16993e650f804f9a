"""Builds: which build of torch the engine gets, and from where. Product configuration.

PyTorch's public wheel indexes offer the same version for processors and for NVIDIA cards. The
version itself is pinned in the engine's requirements; only the place is chosen here.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_INDEX = "https://download.pytorch.org/whl/cu126"
INDEX_VARIABLE = "RASD_FUSION_TORCH_INDEX"

# torch 2.13 has no wheels for older Pythons.
LEAST_PYTHON = (3, 10)


@dataclass(frozen=True)
class Build:
    """A build of the engine: what it is for, and about how much is downloaded and takes disk."""

    name: str
    download_mb: int
    disk_mb: int


# Measured on Linux (CPU), and summed from the sizes of the wheels of torch 2.13 (CUDA).
CPU_BUILD = Build("CPU", 330, 1300)
CUDA_BUILD = Build("NVIDIA GPU", 3000, 7500)


def chosen_build() -> Build:
    """The build that a set-up would fetch on this computer."""
    return CUDA_BUILD if torch_index() == CUDA_INDEX else CPU_BUILD


def has_nvidia_driver() -> bool:
    """True where NVIDIA's driver is installed, whether or not a card answers."""
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
        return (system / "nvcuda.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def torch_index() -> str | None:
    """The extra wheel index that torch comes from; None takes pip's configured index alone.

    The variable RASD_FUSION_TORCH_INDEX decides where it is set; set and empty means None.
    """
    chosen = os.environ.get(INDEX_VARIABLE)
    if chosen is not None:
        return chosen.strip() or None
    if sys.platform == "darwin":
        return None
    return CUDA_INDEX if has_nvidia_driver() else CPU_INDEX
