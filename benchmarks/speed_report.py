"""The report of bench_speed: its figures as tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from .results import table

_WHOLE = (
    "Whole runs, 31 bands and a guide of 3 at ratio 4, r = 0.5, start-up apart: rasd:fuse from "
    "files to files with a model from a file; its peers (CNMF: 30 endmembers, 3 rounds of 200 "
    "updates) from arrays to arrays, in numpy, with the same threads."
)


def errors_table(errors: Mapping[str, float]) -> str:
    """What was held together, and how far apart it lies."""
    rows = [(name, f"{error:.1e}") for name, error in errors.items()]
    return table(("held to the readable form", "relative error"), rows)


def report(figures: Mapping[str, Any], product_side: int) -> str:
    """Every figure as Markdown; product_side: of the yardstick's factors."""
    side = figures["side"]
    parts = [
        _opening(figures, product_side),
        _sides_table(figures),
        f"By the routing ratio, {side}×{side}; work is processor time, the least of the turns.",
        _ratios_table(figures["ratios"]),
        f"By the number of bands, {side}×{side}, r = 0.5.",
        _bands_table(figures["bands"]),
        "A training step (forward, L1, backward) at r = 0.5.",
        _steps_table(figures["steps"]),
        "The selective scan alone, 64 channels of 16 states, microseconds a point.",
        _scans_table(figures["scans"]),
        _WHOLE,
        _whole_table(figures["whole"]),
        f"Missing: {'; '.join(figures['absent'])}." if figures["absent"] else "",
        errors_table(figures["errors"]),
    ]
    return "\n\n".join(part for part in parts if part)


def _opening(figures: Mapping[str, Any], product_side: int) -> str:
    rate = statistics.median(row["product_gflops"] for row in figures["sides"].values())
    return (
        f"{figures['threads']} threads that do not spin while they wait, as in the engine. The "
        "limit is the time that the FLOPs of the convolutions and linear layers would take at the "
        f"rate of a {product_side}×{product_side} product in the same run ({rate:.0f} GFLOP/s). "
        "What is compared takes turns; ratios are medians over the turns, and so are seconds. "
        f"MiB: above the process that has done it once. {_load(figures['load'])}\n\n"
        "31 bands and a guide of 3, r = 0.5; the time grows with H·W to the power of "
        f"**{figures['exponent']:.2f}**."
    )


def _load(load: float | None) -> str:
    """A machine with other work tells ratios well, and seconds badly."""
    return "" if load is None else f"The machine's load before was {load:.1f}."


def _bands_table(rows: Mapping[int, Mapping[str, float]]) -> str:
    lines = [(b, f"{row['seconds']:.3f}", f"{row['limits']:.1f}") for b, row in rows.items()]
    return table(("bands", "s", "× limit"), lines)


def _sides_table(figures: Mapping[str, Any]) -> str:
    header = ("image", "s", "× limit", "plain build × limit", "plain / ours", "MiB", "plain MiB")
    rows = []
    for side, row in figures["sides"].items():
        peak = figures["peaks"].get(side, {})
        rows.append(
            (
                f"{side}×{side}",
                f"{row['seconds']:.3f}",
                f"{row['limits']:.1f}",
                _number(row.get("plain_limits")),
                _number(row.get("plain_over_ours")),
                _number(peak.get("ours"), 0),
                _number(peak.get("plain"), 0),
            )
        )
    return table(header, rows)


def _ratios_table(ratios: Mapping[float, Mapping[str, float]]) -> str:
    rows = []
    for ratio, row in ratios.items():
        theirs = f"{row['plain_saved']:.0%}" if "plain_saved" in row else ""
        work = f"{row['work_seconds']:.3f}", f"{row['work_saved']:.0%}"
        rows.append((ratio, f"{row['seconds']:.3f}", f"{row['saved']:.0%}", *work, theirs))
    header = ("r", "s", "less than r = 0", "one thread's work, s", "less than r = 0")
    return table((*header, "the plain build's"), rows)


def _steps_table(steps: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (
            name,
            f"{row['seconds']:.3f}",
            f"{row['plain_seconds']:.3f}",
            _number(row["plain_over_ours"]),
            f"{row['bfloat16_over_ours']:.2f}",
            f"{row['bfloat16_change']:.1%}",
        )
        for name, row in steps.items()
    ]
    header = ("batch", "s", "plain build s", "plain / ours", "bfloat16 / ours", "its gradients off")
    return table(header, rows)


def _scans_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    fields = ("forward_us", "forward_over_ours", "both_us", "both_over_ours")
    lines = [(name, *(f"{row[field]:.2f}" for field in fields)) for name, row in rows.items()]
    return table(("form", "forward", "× ours", "with backward", "× ours"), lines)


def _whole_table(sides: Mapping[int, Mapping[str, Mapping[str, float]]]) -> str:
    lines = [
        (f"{side}×{side}", name, f"{row['seconds']:.2f}", f"{row['over_ours']:.2f}")
        for side, rows in sides.items()
        for name, row in rows.items()
    ]
    return table(("image", "run", "s", "× rasd:fuse"), lines)


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"
