"""Which scan a CUDA card gets: each form that can run there is checked and timed once.

The fastest that agrees with `blocked`, values and gradients, is taken for the rest of the process,
and its name kept in the user's cache for later ones: for this card, driver, torch, other packages
and these sources. A form that is missing, does not compile or is wrong is passed over.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Callable

import torch
from torch import Tensor

from .blocked import blocked_scan
from .cache import kernel_cache
from .mamba import mamba_kernel, mamba_scan

Scan = Callable[..., Tensor]

# Relative to the largest value: all sum the same float32 terms, each in its own order.
AGREEMENT = 1e-4
# Two warps, one of them not full; many chunks, the last not full; the product's number of states.
TEST = {"n": 2, "channels": 40, "states": 16, "length": 600}
# What is timed: a quarter of a 512 x 512 tile's points at half routing, and a training step's.
TILE = {"n": 1, "channels": 64, "states": 16, "length": 32_768}
STEP = {"n": 4, "channels": 64, "states": 16, "length": 512}
REPEATS = 5


@dataclass(frozen=True)
class Choice:
    """A form and its name; why: what became of the others, for the log."""

    name: str
    scan: Scan
    why: str


def _mamba() -> Scan:
    mamba_kernel()
    return mamba_scan


def _nvrtc() -> Scan:
    if torch.version.cuda is None:
        raise ImportError("it runs on CUDA alone")
    return import_module(".nvrtc", __package__).nvrtc_scan


def _triton() -> Scan:
    return import_module(".triton_gpu", __package__).triton_scan


# How to get each form; raises where it cannot be had. The last always can.
FORMS: dict[str, Callable[[], Scan]] = {
    "mamba-ssm": _mamba,
    "nvrtc": _nvrtc,
    "triton": _triton,
    "blocked": lambda: blocked_scan,
}
FALL_BACK = "blocked"


@cache
def choice_for(device: torch.device) -> Choice:
    """The form for a card: remembered and still right, or found now, which takes some seconds.

    Not to be asked for first while a CUDA graph is recorded.
    """
    file = memory(device, "scan")
    with torch.inference_mode(False), torch.enable_grad():
        kept = _remembered(file, device)
        if kept is not None:
            return kept
        choice = choose(device)
    # the fall-back is none to keep, because what was missing may come
    remember(file if choice.name != FALL_BACK else None, choice.name)
    return choice


def choose(device: torch.device) -> Choice:
    """Check every form and time those that are right."""
    tried = [_try(name, device) for name in FORMS]
    why = "; ".join(f"{name} {found}" for name, _, _, found in tried)
    # From behind: where nothing could be timed, the fall-back.
    name, _, scan, _ = min(reversed(tried), key=lambda trial: trial[1])
    return Choice(name, scan, why)


def _try(name: str, device: torch.device) -> tuple[str, float, Scan, str]:
    """The form's name, its seconds (infinite where it is no use), itself, and what was found."""
    try:
        scan = FORMS[name]()
        if name != FALL_BACK and not agrees(scan, device):
            raise ArithmeticError("it does not agree with the scan in torch alone")
        seconds = _time(scan, device)
    except Exception as error:  # compilers, drivers and packages fail in many ways
        return name, math.inf, blocked_scan, f"not used: {_first_line(error)}"
    return name, seconds, scan, f"{1e3 * seconds:.2f} ms"


def agrees(scan: Scan, device: torch.device, *, gradients: bool = True) -> bool:
    """Whether a form gives what torch alone does, on a small input."""
    leaves = arguments(device, **TEST)
    found, wanted = scan(*leaves), blocked_scan(*leaves)
    pairs = [(found, wanted)]
    if gradients:
        pairs += zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (found, wanted)))
    return all(bool((a - b).abs().max() <= AGREEMENT * b.abs().max()) for a, b in pairs)


def arguments(
    device: torch.device, n: int, channels: int, states: int, length: int
) -> tuple[Tensor, ...]:
    """Random arguments of the scan that ask for gradients, laid out as the network has them."""
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random).to(device)

    rates = -normal(channels, states).exp()
    points = [normal(n, length, width) for width in (channels, channels, states, states)]
    u, delta, B, C = (x.requires_grad_().transpose(1, 2) for x in points)
    rest = (normal(channels), normal(channels) - 2)
    A, D, bias = (x.requires_grad_() for x in (rates, *rest))
    return u, delta, A, B, C, D, bias


def _time(scan: Scan, device: torch.device) -> float:
    """Seconds of a tile's scan and of a training step's together, the best of some."""
    tile, step = (arguments(device, **shape) for shape in (TILE, STEP))

    def once() -> None:
        with torch.no_grad():
            scan(*tile)
        torch.autograd.grad(scan(*step).sum(), step)

    once()
    best = math.inf
    for _ in range(REPEATS):
        finish(device)
        began = time.perf_counter()
        once()
        finish(device)
        best = min(best, time.perf_counter() - began)
    return best


def finish(device: torch.device) -> None:
    """Wait for what a card has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _remembered(file: Path | None, device: torch.device) -> Choice | None:
    """The form that an earlier process found, if it still gives the right values."""
    try:
        name = file.read_text(encoding="ascii") if file is not None else ""
        scan = FORMS[name]()
        if agrees(scan, device, gradients=False):
            return Choice(name, scan, "as found before")
    except Exception:  # whatever is wrong with it, it is chosen anew
        return None
    return None


def remember(file: Path | None, name: str) -> None:
    """Keep a word for later processes, where there is a file for it."""
    if file is None:
        return
    part = file.with_suffix(f".{os.getpid()}")
    try:
        part.write_text(name, encoding="ascii")
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def memory(device: torch.device, kind: str) -> Path | None:
    """Where a choice for this very card and software is kept; None if nothing can be."""
    folder = kernel_cache("")
    if folder is None:
        return None
    facts = "\n".join(str(fact) for fact in _facts(device))
    return folder / f"{kind}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.txt"


def _facts(device: torch.device) -> list[Any]:
    """What a choice holds for."""
    packages = [_version(name) for name in ("triton", "mamba-ssm")]
    if device.type != "cuda":
        return [device.type, torch.__version__, *packages]
    card = torch.cuda.get_device_properties(device)
    driver = torch._C._cuda_getDriverVersion() if torch.version.cuda else torch.version.hip
    return [card.name, card.major, card.minor, driver, torch.__version__, *packages]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
