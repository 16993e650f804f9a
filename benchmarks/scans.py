"""The selective scan as others compute it on a processor, and the forms of our own, by name.

Others' packages are a benchmark's requirement alone; what is missing is left out and named.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Callable
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models import scan
from ..models.scan.fused import compiled

Scan = Callable[..., Tensor]


def forms() -> tuple[dict[str, Scan], list[str]]:
    """The forms that can be had here, each called as `selective_scan` is, and those that cannot."""
    loaders: dict[str, Callable[[], Scan]] = {
        "ours, compiled": _compiled,
        "ours, torch in blocks": lambda: scan.blocked_scan,
        "mambapy, parallel": mambapy,
        "mamba-ssm, reference": mamba_ssm_reference,
        "ours, sequential": lambda: scan.reference_scan,
    }
    found, absent = {}, []
    for name, loader in loaders.items():
        try:
            found[name] = loader()
        except ImportError as error:  # noqa: PERF203  # five of them
            absent.append(f"{name} ({error})")
    return found, absent


def example(length: int, samples: int = 1, channels: int = 64, states: int = 16) -> list[Tensor]:
    """Arguments of a scan as the network has them: steps of some hundredths, decays -1 … -S."""
    random = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    points = [normal(samples, length, channels).transpose(1, 2) for _ in range(2)]
    maps = [normal(samples, length, states).transpose(1, 2) for _ in range(2)]
    decay = -torch.arange(1.0, states + 1).repeat(channels, 1)
    return [points[0], 0.1 * points[1], decay, *maps, torch.ones(channels), normal(channels) - 3]


def mambapy() -> Scan:
    """The parallel scan of mamba.py, from the states of every point spread out."""
    from mambapy.pscan import pscan

    def parallel(
        u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
    ) -> Tensor:
        u, delta, B, C = (x.transpose(1, 2) for x in (u, delta, B, C))
        step = F.softplus(delta + delta_bias)
        decay = torch.exp(step[..., None] * A)
        states = pscan(decay, (step * u)[..., None] * B[:, :, None])
        return ((states @ C[..., None]).squeeze(3) + D * u).transpose(1, 2)

    return parallel


def mamba_ssm_reference() -> Scan:
    """mamba-ssm's `selective_scan_ref`; its package's other half, which wants CUDA, is left out."""
    spec = importlib.util.find_spec("mamba_ssm")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("mamba_ssm is not installed")
    source = Path(spec.submodule_search_locations[0])
    names = ("selective_scan_cuda", "mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton")
    absent = {name: ModuleType(name) for name in names}
    absent["mamba_ssm.ops.triton.layer_norm"] = ModuleType("layer_norm")
    vars(absent["mamba_ssm.ops.triton.layer_norm"])["_layer_norm_fwd"] = None
    absent["mamba_ssm.utils"] = ModuleType("utils")
    absent["mamba_ssm.utils"].__path__ = [str(source / "utils")]
    with patch.dict(sys.modules, absent):
        module = _loaded(source / "ops" / "selective_scan_interface.py")
    reference = module.selective_scan_ref

    def sequential(
        u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
    ) -> Tensor:
        return reference(u, delta, A, B, C, D, None, delta_bias, True)

    return sequential


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("selective_scan_interface", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compiled() -> Scan:
    if compiled() is None:
        raise ImportError("numba is not installed")
    return scan.fused_scan
