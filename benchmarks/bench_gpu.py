"""Figures that need an NVIDIA card, in one command: `make bench-gpu`, or `python benchmarks gpu`.

Every form of the scan is held to the scan in float64, values and gradients, and timed; the network
is timed with each of them, with TF32 and bfloat16 (and how far these take the result), as a CUDA
graph, and in a training step; where its time goes is printed. Needs torch and numpy alone (Triton
and mamba-ssm where they are to be measured). `--dry` goes through all of it in small on a processor
and keeps nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..models import RASDConfig, RASDFuNet, scan
from ..models.scan import choice
from ..rasd_qgis.engine.scene.graphs import record
from ..rasd_qgis.engine.service.precision import set_tf32
from .results import save, table

REPEATS = 20
BANDS = 31, 3
# N, E, S, L: a 512 x 512 tile's points at r = 0.5 on both scales, and a training step's.
SCANS = {
    "tile": (1, 64, 16, 512 * 512 - 362 * 362),
    "eighth": (1, 64, 16, 64 * 64 - 45 * 45),
    "step": (4, 64, 16, 64 * 64 - 45 * 45),
}
DRY_SCANS = {"tile": (1, 64, 16, 300), "eighth": (1, 8, 4, 40), "step": (2, 16, 16, 70)}
CHECKED = [(2, 40, 16, 700), (1, 64, 16, 20_000), (1, 3, 5, 33), (2, 33, 64, 300)]
DRY_CHECKED = [(1, 3, 5, 33)]


def main(arguments: list[str]) -> int:
    """Measure, print and keep; 2 where there is no card."""
    parser = argparse.ArgumentParser(prog="benchmarks gpu")
    parser.add_argument("--dry", action="store_true", help="in small, on a processor")
    dry = parser.parse_args(arguments).dry
    if not dry and not torch.cuda.is_available():
        print("No CUDA card is to be seen here, so nothing was measured.", file=sys.stderr)
        return 2
    device = torch.device("cpu") if dry else torch.device("cuda", 0)
    name = "a processor (dry)" if dry else torch.cuda.get_device_name(device)
    set_tf32(False)
    forms, absent = available(device)
    print(f"On {name}; torch {torch.__version__}, CUDA {torch.version.cuda}. {absent}\n")
    figures: dict[str, Any] = {"card": name, "absent": absent}
    figures["errors"] = {name: errors(form, device, dry) for name, form in forms.items()}
    figures["scans_ms"] = {name: scan_times(form, device, dry) for name, form in forms.items()}
    side = 64 if dry else 512
    figures["network_ms"] = {
        name: network_times(form, device, side) for name, form in forms.items()
    }
    best = min(forms, key=lambda name: figures["network_ms"][name]["forward r=0.5"])
    with using(forms[best]):
        figures["precision"] = precision(device, side)
        figures["graph"] = graph(device, side)
        profile = where_time_goes(device, side)
    body = report(figures, side)
    print(f"{body}\n\n{profile}")
    if not dry:
        save("gpu", f"On a card: {name}", body, figures)
    return 0


def available(device: torch.device) -> tuple[dict[str, choice.Scan], str]:
    """The forms that can be had and run here, by name, and what became of the others."""
    forms, absent = {}, []
    for name, load in choice.FORMS.items():
        try:
            form = load()
            with torch.no_grad():
                form(*choice.arguments(device, 1, 4, 4, 9))
            forms[name] = form
        except Exception as error:  # noqa: PERF203  # that is what is asked
            absent.append(f"{name}: {type(error).__name__} {str(error)[:300]}".strip())
    return forms, "; ".join(absent)


def errors(form: choice.Scan, device: torch.device, dry: bool) -> dict[str, float]:
    """The greatest error of values and of each gradient, relative to the largest of its kind."""
    names = ("y", "u", "delta", "A", "B", "C", "D", "bias")
    worst = dict.fromkeys(names, 0.0)
    for n, channels, states, length in DRY_CHECKED if dry else CHECKED:
        given = choice.arguments(device, n, channels, states, length)
        exact = [x.detach().double().requires_grad_() for x in given]
        weight = torch.arange(n * channels * length, device=device).double().sin()
        weight = weight.view(n, channels, length)
        found, wanted = form(*given), scan.blocked_scan(*exact)
        pairs = [(found, wanted)]
        pairs += zip(
            torch.autograd.grad((found * weight.float()).sum(), given),
            torch.autograd.grad((wanted * weight).sum(), exact),
        )
        for name, (a, b) in zip(names, pairs):
            a, b = a.detach().double(), b.detach()
            error = float((a - b).abs().max() / b.abs().max())
            # A NaN, too, is an error.
            worst[name] = error if not error <= worst[name] else worst[name]
    return worst


def scan_times(form: choice.Scan, device: torch.device, dry: bool) -> dict[str, float]:
    """Milliseconds of each shape, forward, and forward and backward."""
    found = {}
    for name, shape in (DRY_SCANS if dry else SCANS).items():
        given = choice.arguments(device, *shape)

        def forward(given: tuple[Tensor, ...] = given) -> None:
            with torch.no_grad():
                form(*given)

        def both(given: tuple[Tensor, ...] = given) -> None:
            torch.autograd.grad(form(*given).sum(), given)

        found[name] = milliseconds(forward, device)
        found[f"{name} and back"] = milliseconds(both, device)
    return found


def network_times(form: choice.Scan, device: torch.device, side: int) -> dict[str, float]:
    """Milliseconds of the network by r, of a training step, and MiB at the height of a forward."""
    net, (start, guide) = network(device), images(device, 1, side)
    crops = images(device, 4, 64)
    found = {}
    with using(form):
        for ratio in (0.0, 0.5, 0.9):
            forward = partial(run, net, start, guide, ratio)
            found[f"forward r={ratio}"] = milliseconds(forward, device)
        found["training step"] = milliseconds(lambda: step(net, *crops), device)
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            run(net, start, guide, 0.5)
            peak = torch.cuda.max_memory_allocated(device) - before
            found["forward r=0.5, MiB"] = peak / 2**20
    return found


def precision(device: torch.device, side: int) -> dict[str, dict[str, float]]:
    """Milliseconds, and the largest change of the result over its range, by number format."""
    net, (start, guide) = network(device), images(device, 1, side)
    wanted, found = run(net, start, guide, 0.5), {}
    for name, setting in (("float32", as_is), ("TF32", tf32), ("bfloat16", bfloat16)):
        with setting(device):
            change = (run(net, start, guide, 0.5).float() - wanted).abs().max()
            spent = milliseconds(lambda: run(net, start, guide, 0.5), device)
        found[name] = {"ms": spent, "change": float(change / (wanted.max() - wanted.min()))}
    return found


def graph(device: torch.device, side: int) -> dict[str, Any]:
    """Milliseconds of the network as the engine's CUDA graph, and whether it gives the same."""
    if device.type != "cuda":
        return {"ms": None, "same": None, "why": "CUDA alone"}
    net, pair = network(device), images(device, 1, side)
    wanted = run(net, *pair, 0.5)
    try:
        with torch.inference_mode():
            recording = record(net, *pair, 0.5)
            same = torch.equal(recording.play(*pair).image, wanted)
            spent = milliseconds(lambda: recording.play(*pair), device)
    except RuntimeError as error:
        return {"ms": None, "same": None, "why": str(error)[:300]}
    return {"ms": spent, "same": same, "why": ""}


def where_time_goes(device: torch.device, side: int) -> str:
    """The profiler's table of a forward: the kernels that take longest."""
    net, (start, guide) = network(device), images(device, 1, side)
    run(net, start, guide, 0.5)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profile:
        run(net, start, guide, 0.5)
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return str(profile.key_averages().table(sort_by=key, row_limit=25, max_name_column_width=50))


def report(figures: dict[str, Any], side: int) -> str:
    """The figures as Markdown."""
    parts = [f"The network at {side}x{side}, {BANDS[0]} + {BANDS[1]} bands. {figures['absent']}"]
    titles = {
        "errors": "Scan: greatest error, relative",
        "scans_ms": "Scan: ms",
        "network_ms": "Network by scan: ms",
        "precision": "Network by number format: ms, and change over the range",
    }
    for key, title in titles.items():
        rows = figures[key]
        header = list(next(iter(rows.values())))
        lines = [[name, *(f"{row[column]:.3g}" for column in header)] for name, row in rows.items()]
        parts.append(f"{title}\n\n{table(['', *header], lines)}")
    drawn = figures["graph"]
    told = drawn["why"] or f"{drawn['ms']:.3g} ms, the same pixels: {drawn['same']}"
    return "\n\n".join([*parts, f"As a CUDA graph: {told}"])


def network(device: torch.device) -> RASDFuNet:
    """At the paper's configuration, fresh."""
    torch.manual_seed(0)
    return RASDFuNet(RASDConfig(*BANDS)).to(device).eval()


def images(device: torch.device, n: int, side: int) -> tuple[Tensor, Tensor]:
    """A starting image and a guide."""
    random = torch.Generator().manual_seed(1)
    start, guide = (torch.rand(n, bands, side, side, generator=random) for bands in BANDS)
    return start.to(device), guide.to(device)


def run(net: RASDFuNet, start: Tensor, guide: Tensor, ratio: float) -> Tensor:
    """The fused image."""
    with torch.no_grad():
        return net(start, guide, ratio).image


def step(net: RASDFuNet, start: Tensor, guide: Tensor) -> None:
    """Forward and backward, and nothing done with the gradients."""
    net.train()
    net.zero_grad(set_to_none=True)
    net(start, guide, 0.5).image.abs().mean().backward()
    net.eval()


@contextmanager
def using(form: choice.Scan) -> Iterator[None]:
    """With this scan for every single-precision sequence."""
    usual = scan._fastest
    scan._fastest = lambda u: form
    try:
        yield
    finally:
        scan._fastest = usual


@contextmanager
def as_is(device: torch.device) -> Iterator[None]:
    """Single precision throughout."""
    yield


@contextmanager
def tf32(device: torch.device) -> Iterator[None]:
    """Ten bits of each factor in convolutions and matrix products."""
    set_tf32(True)
    try:
        yield
    finally:
        set_tf32(False)


@contextmanager
def bfloat16(device: torch.device) -> Iterator[None]:
    """Convolutions and products in bfloat16, the scan in single precision."""
    chosen = scan._fastest(torch.empty(0, device=device))
    single = using(lambda *given: chosen(*(x.float() for x in given)))
    with single, torch.autocast(device.type, torch.bfloat16):
        yield


def milliseconds(work: Callable[[], Any], device: torch.device) -> float:
    """The median of some runs after three that are not counted."""
    card = device.type == "cuda"
    for _ in range(3 if card else 1):
        work()
    spent = []
    for _ in range(REPEATS if card else 1):
        if card:
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        work()
        if card:
            torch.cuda.synchronize(device)
        spent.append(1e3 * (time.perf_counter() - began))
    return statistics.median(spent)
