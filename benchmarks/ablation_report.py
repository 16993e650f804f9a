"""The ablations' section of RESULTS.md: mean and spread over seeds, no claim within the spread."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy import stats

from . import results
from .ablations import FULL, VARIANTS

Report = dict[str, Any]

CONFIDENCE = 0.95


def write(folder: Path) -> None:
    """Write the section from all files of a folder; nothing where there are none."""
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*--*.json")]
    if reports:
        results.save("ablation", "The network without its parts", render(reports), reports)


def render(reports: Sequence[Report]) -> str:
    """The section in Markdown, a table for every set of scenes and settings."""
    groups: dict[str, list[Report]] = {}
    for report in reports:
        groups.setdefault(json.dumps(report["settings"], sort_keys=True), []).append(report)
    return "\n\n".join(_table(groups[key]) for key in sorted(groups))


def verdict(differences: Sequence[float]) -> tuple[float, str]:
    """The mean of differences paired by seed, and what can be said of it.

    Nothing, where the confidence interval of the mean (Student's t) holds zero.
    """
    middle = mean(differences)
    if len(differences) < 2:
        return middle, "one seed"
    factor = stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)
    reach = factor * stdev(differences) / math.sqrt(len(differences))
    if abs(middle) <= reach:
        return middle, f"none (± {reach:.2f})"
    return middle, f"{'better' if middle > 0 else 'worse'} (± {reach:.2f})"


def _table(reports: Sequence[Report]) -> str:
    settings = reports[0]["settings"]
    runs = {
        variant.name: {r["seed"]: r for r in reports if r["variant"] == variant.name}
        for variant in VARIANTS
    }
    whole = runs[FULL.name]
    lines = [_line(name, found, whole) for name, found in runs.items() if found]
    seeds = len({report["seed"] for report in reports})
    title = (
        f"### {settings['scenes']}: {settings['steps']} steps of {settings['batch']} patches, "
        f"{settings['side']} × {settings['side']}, {seeds} seeds"
    )
    notes = (
        "×8, bicubic start, no noise, L1, Adam at "
        f"{settings['learning_rate']:g} with cosine annealing. ± after a mean: standard deviation "
        "over seeds. Difference to the first line, paired by seed, and whether its "
        f"{CONFIDENCE:.0%} interval leaves room for a claim. Published: after the paper's full "
        "training on CAVE."
    )
    header = ["variant", "PSNR dB", "SAM °", "to the first, dB", "claim", "published dB", "M", "s"]
    return f"{title}\n\n{notes}\n\n{results.table(header, lines)}"


def _line(name: str, found: dict[int, Report], whole: dict[int, Report]) -> list[str]:
    paired = [found[seed]["PSNR"] - whole[seed]["PSNR"] for seed in found if seed in whole]
    any_run = next(iter(found.values()))
    published = any_run["published"]
    difference, claim = verdict(paired) if paired and found is not whole else (None, "")
    return [
        name,
        _mean_and_spread([report["PSNR"] for report in found.values()], 2),
        _mean_and_spread([report["SAM"] for report in found.values()], 3),
        "" if difference is None else f"{difference:+.2f}",
        claim,
        "" if published is None else f"{published:+.2f}",
        f"{any_run['millions']:.3f}",
        f"{mean(report['seconds'] for report in found.values()):.0f}",
    ]


def _mean_and_spread(values: Sequence[float], digits: int) -> str:
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"
