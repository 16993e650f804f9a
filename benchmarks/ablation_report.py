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
EXAMS = {"kept_out": "kept out", "new_scene": "new scene"}
NOTES = (
    "×8, bicubic start, no noise, L1, Adam with cosine annealing, the same steps for all. Kept "
    "out: columns of the training scenes that were not trained on; new scene: another one. ± after "
    "a figure: standard deviation over seeds. Difference: to the first line, paired by seed, which "
    f"sets the crops, ± its {CONFIDENCE:.0%} interval; “better” or “worse” where that leaves room "
    "for a claim, though of twenty such claims one is chance. Published: after the paper's full "
    "training on CAVE."
)


def write(folder: Path) -> None:
    """Write the section from all files of a folder; nothing where there are none."""
    files = sorted(folder.glob("*--*.json"))
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if reports:
        results.save("ablation", "The network without its parts", render(reports), reports)


def render(reports: Sequence[Report]) -> str:
    """The section in Markdown, a table for every set of scenes and settings."""
    groups: dict[str, list[Report]] = {}
    for report in reports:
        groups.setdefault(json.dumps(report["settings"], sort_keys=True), []).append(report)
    return "\n\n".join([NOTES, *(_table(groups[key]) for key in sorted(groups))])


def verdict(differences: Sequence[float], digits: int, more_is_better: bool = True) -> str:
    """The mean of differences paired by seed, ± its confidence interval (Student's t), in words.

    No claim, where the interval holds zero.
    """
    middle = mean(differences)
    if len(differences) < 2:
        return f"{middle:+.{digits}f} (one seed)"
    factor = stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)
    reach = factor * stdev(differences) / math.sqrt(len(differences))
    claim = ""
    if abs(middle) > reach:
        claim = " better" if (middle > 0) == more_is_better else " worse"
    return f"{middle:+.{digits}f} ± {reach:.{digits}f}{claim}"


def _table(reports: Sequence[Report]) -> str:
    settings = reports[0]["settings"]
    runs = {
        variant.name: {r["seed"]: r for r in reports if r["variant"] == variant.name}
        for variant in VARIANTS
    }
    exams = [name for name in EXAMS if name in reports[0]]
    lines = [_line(name, found, runs[FULL.name], exams) for name, found in runs.items() if found]
    title = (
        f"### {settings['scenes']}: {settings['steps']} steps of {settings['batch']} patches, "
        f"{settings['side']} × {settings['side']}, Adam at {settings['learning_rate']:g}"
    )
    notes = f"Trained on {settings['trained_on']}; {settings['weights']}."
    header = ["variant", "seeds", "published dB"]
    for exam in exams:
        header += [f"{EXAMS[exam]}: dB", "difference, dB", "difference, °"]
    return f"{title}\n\n{notes}\n\n{results.table([*header, 'weights, M'], lines)}"


def _line(
    name: str, found: dict[int, Report], whole: dict[int, Report], exams: Sequence[str]
) -> list[str]:
    any_run = next(iter(found.values()))
    published = any_run["published"]
    cells = [name, str(len(found)), "" if published is None else f"{published:+.2f}"]
    for exam in exams:
        cells.append(_mean_and_spread([report[exam]["PSNR"] for report in found.values()]))
        for figure, digits, more_is_better in (("PSNR", 2, True), ("SAM", 3, False)):
            paired = [
                found[seed][exam][figure] - whole[seed][exam][figure]
                for seed in found
                if seed in whole and found is not whole
            ]
            cells.append(verdict(paired, digits, more_is_better) if paired else "")
    return [*cells, f"{any_run['millions']:.3f}"]


def _mean_and_spread(values: Sequence[float]) -> str:
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")
