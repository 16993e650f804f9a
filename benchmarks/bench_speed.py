"""The network's speed on a processor, in one command: `make bench-speed`.

The yardstick is a single-precision matrix product timed in the same run: how long the network takes
over what its convolutions and linear layers would take at that product's rate. Beside it stand the
plain PyTorch build of the network and other people's scans. Calls that are compared take turns, and
their ratio is the median over the turns, so that a machine with other work tells the same. Values
and gradients are held together first: where they differ the command fails and nothing is kept.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..models import RASDConfig, RASDFuNet, scan
from ..rasd_qgis.engine.service import memory
from . import scans
from .bench_gpu import bfloat16
from .measure import cost
from .plain import layer_operations, plain_forward
from .results import save
from .speed_report import errors_table, report
from .whole import whole_runs

GUIDE_BANDS = 3
RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
PRODUCT_SIDE = 2048
TOLERANCE = 1e-3

Call = Callable[[], object]


@dataclass(frozen=True)
class Extent:
    """What is measured: square images, by sides; one side by ratio and by bands; steps of so many
    crops of such a side; the points of a scan.

    plain_sides: of `sides`, those of the plain build and of the memory. back_points: of a scan with
    its way back, which takes others' forms memory by the square of the points. whole: of runs of
    rasd:fuse beside the peers, by sides.
    """

    sides: tuple[int, ...]
    plain_sides: tuple[int, ...]
    side: int
    bands: tuple[int, ...]
    steps: tuple[tuple[int, int], ...]
    points: int
    back_points: int
    whole: tuple[int, ...]


FULL = Extent(
    sides=(128, 192, 256, 384, 512),
    plain_sides=(256, 512),
    side=256,
    bands=(10, 31, 102, 224),
    steps=((4, 64), (4, 16)),
    points=8192,
    back_points=1024,
    whole=(256, 512),
)
DRY = Extent((32, 40), (32,), 32, (5, 31), ((2, 16),), 128, 64, (32,))


def main(arguments: list[str]) -> int:
    """Check, measure, print and keep; 1 where a fast form differs from the readable one."""
    parser = argparse.ArgumentParser(prog="benchmarks speed")
    parser.add_argument("--turns", type=int, default=5, help="of each comparison (5)")
    parser.add_argument("--dry", action="store_true", help="in small; nothing is kept")
    options = parser.parse_args(arguments)
    memory.keep()  # as the engine does
    errors = checks()
    print(errors_table(errors), flush=True)
    if any(error > TOLERANCE for error in errors.values()):
        print("A fast form differs from the readable one: nothing was measured.", file=sys.stderr)
        return 1
    figures = {"errors": errors, "threads": torch.get_num_threads(), "load": load_before()}
    figures |= measured(DRY if options.dry else FULL, options.turns)
    body = report(figures, PRODUCT_SIDE)
    print(body)
    if not options.dry:
        save("speed", "The network on a processor", body, figures)
    return 0


def load_before() -> float | None:
    """Processes that wanted a processor in the last minute; None where nobody tells."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def measured(extent: Extent, turns: int) -> dict[str, Any]:
    """Every figure, by the names that the report knows."""
    scan_rows, absent = scan_times(extent, turns)
    sides = by_side(extent.sides, extent.plain_sides, turns)
    return {
        "sides": sides,
        "exponent": exponent(sides),
        "side": extent.side,
        "ratios": by_ratio(extent.side, turns),
        "bands": by_bands(extent.side, extent.bands, turns),
        "steps": training_steps(extent.steps, turns),
        "scans": scan_rows,
        "absent": absent,
        "peaks": peaks(extent.plain_sides),
        "whole": whole_runs(extent.whole, min(turns, 3), in_turns, one_pass),
    }


def network(bands: int = 31) -> RASDFuNet:
    """The paper's network for so many bands, with fresh weights."""
    torch.manual_seed(0)
    return RASDFuNet(RASDConfig(bands, GUIDE_BANDS)).eval()


def pair(net: RASDFuNet, side: int, samples: int = 1) -> tuple[Tensor, Tensor]:
    """A starting image and a guide of noise: the time does not hang on what is in them."""
    random = torch.Generator().manual_seed(side)
    bands = (net.config.hs_bands, net.config.guide_bands)
    start, guide = (torch.rand(samples, b, side, side, generator=random) for b in bands)
    return start, guide


def checks() -> dict[str, float]:
    """Greatest error of each fast form against the readable one, over that one's greatest value.

    For whole images the mean error: few points nearly level in confidence change places.
    """
    found = {}
    net = network()
    start, guide = pair(net, 48)
    for ratio in (0.0, 0.5, 0.9):
        with torch.inference_mode():
            ours, plain = net(start, guide, ratio).image, plain_forward(net, start, guide, ratio)
        error = float((ours - plain).abs().mean() / (plain - start).abs().mean())
        found[f"network at r = {ratio}"] = error
    found["gradients of the network"] = _gradient_error()
    arguments = scans.example(700, samples=2)
    wanted = _scanned(scan.reference_scan, [x.double() for x in arguments])
    for name, form in scans.forms()[0].items():
        errors = map(_error, _scanned(form, arguments), wanted)
        found[f"scan and its gradients: {name}"] = max(errors)
    return found


def _gradient_error() -> float:
    """Of the training path against the plain build, in double precision: nothing changes places."""
    net = network(5).double()
    start, guide = (x.double() for x in pair(net, 24))
    images = net(start, guide, 0.5).image, plain_forward(net, start, guide, 0.5)
    weights = list(net.parameters())
    return max(map(_error, *(torch.autograd.grad(x.square().mean(), weights) for x in images)))


def _scanned(form: scans.Scan, arguments: Sequence[Tensor]) -> list[Tensor]:
    leaves = [x.clone().requires_grad_() for x in arguments]
    y = form(*leaves)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), leaves)]


def _error(found: Tensor, wanted: Tensor) -> float:
    scale = max(float(wanted.abs().max()), 1e-30)
    return float((found.double() - wanted.double()).abs().max()) / scale


def seconds(call: Call, clock: Callable[[], float] = time.perf_counter) -> float:
    """Of one call."""
    began = clock()
    call()
    return clock() - began


def in_turns(
    calls: Mapping[str, Call], turns: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each call, the calls taking turns; each is made once before."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            times[name].append(seconds(call, clock))
    return times


def over(times: Mapping[str, list[float]], one: str, other: str) -> float:
    """How many times as long one call takes as the other: the median over the turns."""
    return statistics.median(a / b for a, b in zip(times[one], times[other]))


@contextmanager
def one_thread() -> Iterator[None]:
    """With one thread, this one."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def product() -> Call:
    """The matrix product that is the yardstick."""
    factor = torch.randn(PRODUCT_SIDE, PRODUCT_SIDE)
    return lambda: factor @ factor


def forward(net: RASDFuNet, side: int, ratio: float) -> Call:
    """The network on one image."""
    given = pair(net, side)

    def call() -> None:
        with torch.inference_mode():
            net(*given, ratio)

    return call


def one_pass(side: int) -> Call:
    """The network at r = 0.5 on one image of 31 bands."""
    return forward(network(), side, 0.5)


def plain(net: RASDFuNet, side: int, ratio: float) -> Call:
    """The plain build on the same image, with the same weights."""
    given = pair(net, side)

    def call() -> None:
        with torch.inference_mode():
            plain_forward(net, *given, ratio)

    return call


def timed(net: RASDFuNet, side: int, ratio: float, turns: int, beside: bool) -> dict[str, float]:
    """A forward's time, its share of the limit, and where asked the plain build's."""
    calls = {"product": product(), "ours": forward(net, side, ratio)}
    if beside:
        calls["plain"] = plain(net, side, ratio)
    times = in_turns(calls, turns)
    products = layer_operations(net, side, side, ratio) / (2 * PRODUCT_SIDE**3)
    found = {
        "seconds": statistics.median(times["ours"]),
        "gflop": layer_operations(net, side, side, ratio) / 1e9,
        "limits": over(times, "ours", "product") / products,
        "product_gflops": 2 * PRODUCT_SIDE**3 / statistics.median(times["product"]) / 1e9,
    }
    if beside:
        found["plain_limits"] = over(times, "plain", "product") / products
        found["plain_over_ours"] = over(times, "plain", "ours")
    return found


def by_side(sides: Sequence[int], plain_sides: Sequence[int], turns: int) -> dict[int, Any]:
    """Square images at r = 0.5; the sides take turns, so that their growth is of one time."""
    net = network()
    found = {side: timed(net, side, 0.5, turns, side in plain_sides) for side in sides}
    together = in_turns({str(side): forward(net, side, 0.5) for side in sides}, turns)
    for side in sides:
        found[side]["over_smallest"] = over(together, str(side), str(sides[0]))
    return found


def exponent(sides: Mapping[int, Mapping[str, float]]) -> float:
    """Of H·W in the time: the slope of a straight line through the logarithms."""
    points = [(2 * math.log(side), math.log(row["over_smallest"])) for side, row in sides.items()]
    return statistics.linear_regression(*zip(*points)).slope


def by_ratio(side: int, turns: int) -> dict[float, Any]:
    """Each routing ratio, and how much less time it takes than r = 0; also of the plain build.

    saved: by the clock, with all threads; work_saved: processor time of one thread, which other
    work on the machine hardly touches.
    """
    net = network()
    calls = {f"ours {ratio}": forward(net, side, ratio) for ratio in RATIOS}
    calls |= {f"plain {ratio}": plain(net, side, ratio) for ratio in (0.0, 0.5, 0.9)}
    times = in_turns(calls, turns)
    with one_thread():
        work = in_turns(calls, turns, time.process_time)
    found = {}
    for ratio in RATIOS:
        row = {"seconds": statistics.median(times[f"ours {ratio}"])}
        row["saved"] = 1 - over(times, f"ours {ratio}", "ours 0.0")
        row["work_seconds"] = min(work[f"ours {ratio}"])
        row["work_saved"] = 1 - row["work_seconds"] / min(work["ours 0.0"])
        if f"plain {ratio}" in times:
            row["plain_saved"] = 1 - min(work[f"plain {ratio}"]) / min(work["plain 0.0"])
        found[ratio] = row
    return found


def by_bands(side: int, numbers: Sequence[int], turns: int) -> dict[int, Any]:
    """Numbers of hyperspectral bands, at r = 0.5."""
    return {bands: timed(network(bands), side, 0.5, turns, beside=False) for bands in numbers}


def training_steps(steps: Sequence[tuple[int, int]], turns: int) -> dict[str, Any]:
    """Forward, L1, backward of a batch at r = 0.5: ours, in bfloat16, and the plain build's."""
    found = {}
    for samples, side in steps:
        net = network().train()
        given = pair(net, side, samples)

        def ours(net: RASDFuNet = net, given: tuple[Tensor, Tensor] = given) -> None:
            net.zero_grad()
            (net(*given, 0.5).image - given[0]).abs().mean().backward()

        def plainly(net: RASDFuNet = net, given: tuple[Tensor, Tensor] = given) -> None:
            net.zero_grad()
            (plain_forward(net, *given, 0.5) - given[0]).abs().mean().backward()

        def short(step: Call = ours) -> None:
            with bfloat16(torch.device("cpu")):
                step()

        times = in_turns({"ours": ours, "plain": plainly, "short": short}, turns)
        found[f"{samples} × {side}×{side}"] = {
            "seconds": statistics.median(times["ours"]),
            "plain_seconds": statistics.median(times["plain"]),
            "plain_over_ours": over(times, "plain", "ours"),
            "bfloat16_over_ours": over(times, "short", "ours"),
            "bfloat16_change": _change_by(short, ours, net),
        }
    return found


def _change_by(one: Call, other: Call, net: RASDFuNet) -> float:
    """How far apart the gradients of two steps lie, with the same points dropped out."""
    gradients = []
    for step in (one, other):
        torch.manual_seed(0)
        step()
        parts = [x.grad.flatten() for x in net.parameters() if x.grad is not None]
        gradients.append(torch.cat(parts))
    return float((gradients[0] - gradients[1]).norm() / gradients[1].norm())


def scan_times(extent: Extent, turns: int) -> tuple[dict[str, Any], list[str]]:
    """Microseconds a point of each form of the scan, 64 channels of 16 states."""
    given, (forms, absent) = scans.example(extent.points), scans.forms()
    leaves = [x.requires_grad_() for x in scans.example(extent.back_points)]

    def only(form: scans.Scan) -> Call:
        def call() -> None:
            with torch.inference_mode():
                form(*given)

        return call

    def both(form: scans.Scan) -> Call:
        return lambda: torch.autograd.grad(form(*leaves).sum(), leaves)

    ahead = in_turns({name: only(form) for name, form in forms.items()}, min(turns, 3))
    back = in_turns({name: both(form) for name, form in forms.items()}, min(turns, 3))
    first = next(iter(forms))
    found = {}
    for name in forms:
        found[name] = {
            "forward_us": statistics.median(ahead[name]) / extent.points * 1e6,
            "forward_over_ours": over(ahead, name, first),
            "both_us": statistics.median(back[name]) / extent.back_points * 1e6,
            "both_over_ours": over(back, name, first),
        }
    return found, absent


def peaks(sides: Sequence[int]) -> dict[int, dict[str, float]]:
    """MiB that a forward at r = 0.5 takes above the process that has done one before."""
    net = network()
    found: dict[int, dict[str, float]] = {}
    for side in sides:
        calls = {"ours": forward(net, side, 0.5), "plain": plain(net, side, 0.5)}
        found[side] = {}
        for name, call in calls.items():
            gc.collect()
            found[side][name] = cost(call).peak
    return found
