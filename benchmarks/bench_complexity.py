"""What the network costs by routing ratio r and stages N: weights, operations, time and memory.

    python benchmarks complexity [--sides 256 512] [--repeats 9]

Operations are counted (flops.py), in the paper's convention on its input and in full. Times are
paired: in every repeat each ratio has its turn, in an order drawn anew, so that what else the
machine does falls on all alike; the processor's own time leaves that out. Memory is that of a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import torch

from ..models import RASDConfig, RASDFuNet
from . import flops, results
from .measure import cost

BANDS, GUIDE_BANDS, SIDE = 31, 3, 64  # the input of the paper's table
RATIOS = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
STAGES = (1, 2, 3, 4, 5, 6)
USUAL_RATIO, USUAL_STAGES = 0.5, 5
LABELS = {0.0: "0, all attention", 1.0: "1, all decomposition"}
PUBLISHED_GFLOPS, PUBLISHED_MILLIONS = 0.764, 0.938
# Of r against r = 0, in the paper: operations, and inference time on its GPU.
PUBLISHED_FLOPS = {0.5: -0.3172, 0.9: -0.5705}
PUBLISHED_TIME = {0.5: -0.4295}
# Method -> GFLOPs and millions of weights in the paper's table.
PUBLISHED_PEERS = {
    "SMGU-Net": (11.714, 0.759),
    "CSGAV": (8.915, 3.356),
    "LRTN": (4.143, 3.551),
    "DSPNet": (13.194, 6.055),
    "PSRT": (2.104, 0.247),
    "PanMamba": (3.597, 1.679),
    "RASD-FuNet": (PUBLISHED_GFLOPS, PUBLISHED_MILLIONS),
}
MAIN = Path(__file__).resolve().parent / "__main__.py"
Timed = dict[float, dict[str, float]]


def main(arguments: list[str]) -> int:
    """Count and measure; the section of RESULTS.md."""
    options = _options(arguments)
    if options.memory:
        side, ratio = options.memory
        print(json.dumps(peak(int(side), ratio)))
        return 0
    by_ratio = {ratio: counted(USUAL_STAGES, ratio) for ratio in RATIOS}
    by_stages = {stages: counted(stages, USUAL_RATIO) for stages in STAGES}
    timed = {side: measured(side, options.repeats) for side in options.sides}
    body = "\n\n".join(
        [
            _introduction(),
            _ratio_table(by_ratio),
            _stage_table(by_stages),
            *(_time_table(side, found, options.repeats) for side, found in timed.items()),
            _published_table(),
        ]
    )
    figures = {"by_ratio": by_ratio, "by_stages": by_stages, "timed": timed}
    results.save("complexity", "What the network costs", body, figures)
    print(body)
    return 0


def counted(stages: int, ratio: float) -> dict[str, float]:
    """Weights in millions and operations in GFLOP on the paper's input."""
    network = RASDFuNet(RASDConfig(BANDS, GUIDE_BANDS, stages=stages))
    found = flops.count(network, SIDE, SIDE, ratio)
    return {
        "millions": sum(weights.numel() for weights in network.parameters()) / 1e6,
        "paper": found.layers / 1e9,
        "products": found.products / 1e9,
        "scan": found.scan / 1e9,
        "full": found.full / 1e9,
    }


def measured(side: int, repeats: int) -> Timed:
    """Seconds, by the wall clock and of the processor, and peak MiB of a pass on side × side."""
    network, start, guide = _network(side)
    seconds: dict[float, list[float]] = {ratio: [] for ratio in RATIOS}
    busy: dict[float, list[float]] = {ratio: [] for ratio in RATIOS}
    order = list(RATIOS)
    generator = np.random.default_rng(0)
    with torch.inference_mode():
        for repeat in range(repeats + 1):
            generator.shuffle(order)
            for ratio in order:
                began, had = time.perf_counter(), time.process_time()
                network(start, guide, ratio)
                if repeat:  # the first compiles, and fills caches
                    seconds[ratio].append(time.perf_counter() - began)
                    busy[ratio].append(time.process_time() - had)
    changes, spared = _changes(seconds), _changes(busy)
    return {
        ratio: {
            "seconds": median(seconds[ratio]),
            "change": median(changes[ratio]),
            "low": _quartiles(changes[ratio])[0],
            "high": _quartiles(changes[ratio])[1],
            "processor_seconds": median(busy[ratio]),
            "processor_change": median(spared[ratio]),
            "peak_mib": _peak_of_its_own(side, ratio),
        }
        for ratio in RATIOS
    }


def _changes(seconds: Mapping[float, Sequence[float]]) -> dict[float, list[float]]:
    """Of each ratio against r = 0, turn by turn."""
    whole = seconds[0.0]
    return {
        ratio: [own / other - 1 for own, other in zip(seconds[ratio], whole)] for ratio in RATIOS
    }


def peak(side: int, ratio: float) -> float:
    """MiB that a pass takes above the process with network and images, after a small first pass."""
    network, start, guide = _network(side)
    with torch.inference_mode():
        network(start[..., :16, :16].contiguous(), guide[..., :16, :16].contiguous(), ratio)
        return cost(lambda: network(start, guide, ratio)).peak


def _peak_of_its_own(side: int, ratio: float) -> float:
    command = [sys.executable, str(MAIN), "complexity", "--memory", str(side), str(ratio)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(found.stdout))


def _network(side: int) -> tuple[RASDFuNet, torch.Tensor, torch.Tensor]:
    """The network of the paper, and images (1, bands, side, side) of noise."""
    torch.manual_seed(0)
    network = RASDFuNet(RASDConfig(BANDS, GUIDE_BANDS)).eval()
    return network, torch.rand(1, BANDS, side, side), torch.rand(1, GUIDE_BANDS, side, side)


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4)
    return low, high


def _introduction() -> str:
    return (
        f"The paper's configuration: {BANDS} + {GUIDE_BANDS} bands, C = 32, N = 5, K = 2. "
        "GFLOPs: two operations a multiply-add, on one 31×8×8 + 3×64×64 input. *Paper*: "
        "convolutions and linear layers of the equations as written. *Full*: matrix products, "
        "Sobel and the scan as well. A part of the published counts is not explained by the "
        "published equations: they come to "
        f"{counted(USUAL_STAGES, USUAL_RATIO)['paper']:.3f} GFLOP, published "
        f"{PUBLISHED_GFLOPS}."
    )


def _ratio_table(found: Mapping[float, Mapping[str, float]]) -> str:
    whole = found[0.0]
    lines = [
        [
            LABELS.get(ratio, f"{ratio:g}"),
            f"{of['paper']:.3f}",
            f"{of['paper'] / whole['paper'] - 1:+.1%}",
            f"{of['full']:.3f}",
            f"{of['full'] / whole['full'] - 1:+.1%}",
            _published(PUBLISHED_FLOPS, ratio),
            f"{PUBLISHED_GFLOPS}" if ratio == USUAL_RATIO else "",
        ]
        for ratio, of in found.items()
    ]
    header = ["r", "GFLOPs, paper", "to r = 0", "full", "to r = 0", "published", "published GFLOPs"]
    return f"### Operations by r, N = {USUAL_STAGES}\n\n{results.table(header, lines)}"


def _stage_table(found: Mapping[int, Mapping[str, float]]) -> str:
    lines = [
        [
            stages,
            f"{of['millions']:.3f}",
            f"{of['paper']:.3f}",
            f"{of['full']:.3f}",
            f"{PUBLISHED_MILLIONS} / {PUBLISHED_GFLOPS}" if stages == USUAL_STAGES else "",
        ]
        for stages, of in found.items()
    ]
    header = ["N", "weights, M", "GFLOPs, paper", "full", "published M / GFLOPs"]
    return f"### Weights and operations by N, r = {USUAL_RATIO}\n\n{results.table(header, lines)}"


def _time_table(side: int, found: Timed, repeats: int) -> str:
    lines = [
        [
            LABELS.get(ratio, f"{ratio:g}"),
            f"{of['seconds']:.3f}",
            f"{of['change']:+.1%}",
            f"{of['low']:+.1%} … {of['high']:+.1%}",
            f"{of['processor_seconds']:.3f}",
            f"{of['processor_change']:+.1%}",
            _published(PUBLISHED_TIME, ratio),
            f"{of['peak_mib']:.0f}",
        ]
        for ratio, of in found.items()
    ]
    header = ["r", "seconds", "to r = 0", "quartiles", "processor seconds", "to r = 0"]
    header += ["published (GPU)", "peak MiB"]
    title = f"### Time and memory by r at {side} × {side}, medians of {repeats} paired passes"
    return f"{title}\n\n{results.table(header, lines)}"


def _published_table() -> str:
    lines = [[name, *figures] for name, figures in PUBLISHED_PEERS.items()]
    header = ["as published", "GFLOPs", "weights, M"]
    return f"### The paper's table\n\n{results.table(header, lines)}"


def _published(figures: Mapping[float, float], ratio: float) -> str:
    return f"{figures[ratio]:+.1%}" if ratio in figures else ""


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="complexity", description="What the network costs.")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512], help="in pixels")
    parser.add_argument("--repeats", type=int, default=9, help="paired passes (9)")
    parser.add_argument("--memory", nargs=2, type=float, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)
