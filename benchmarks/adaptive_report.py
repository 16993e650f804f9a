"""The section of RESULTS.md on routing and terms by content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from . import results
from .ablation_report import verdict

Report = dict[str, Any]
SCENES = {
    "cave": "CAVE ×8, bicubic start, two crops to train on and a third to test on",
    "demo": "The demo's pair, trained on the scene by rasd:fuse's engine",
}
BASE = ("drawn ratios", "r = 0.5")


def write(folder: Path) -> None:
    """Write the section from all files of a folder; nothing where there are none."""
    reports = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*--*.json"))
    ]
    if reports:
        results.save("adaptive", "Routing and terms by content", render(reports), reports)


def render(reports: Sequence[Report]) -> str:
    """The section in Markdown, a table a scene."""
    parts = []
    for scene, title in SCENES.items():
        found = [report for report in reports if report["settings"]["scene"] == scene]
        if found:
            parts.append(f"{title}, {found[0]['settings']['steps']} steps.\n\n{_table(found)}")
    parts.append(
        "Spread: standard deviation over the seeds. Difference in PSNR, paired by seed, with what "
        "a 95 % interval of its mean lets be said: of auto, to the same weights fixed at the "
        f"share that auto took; of the others, to {BASE[0]} used at {BASE[1]}. Seconds of one "
        "thread's processor time; on the demo of the whole run from a model file. Terms that stop "
        "run without the compiled kernels, so their seconds do not compare."
    )
    parts += [_kept(reports)] if any(report["kept"] for report in reports) else []
    return "\n\n".join(parts)


def _table(reports: Sequence[Report]) -> str:
    names = list(dict.fromkeys(report["training"] for report in reports))
    names.sort(key=lambda name: (name != BASE[0], name))
    lines = []
    for name in names:
        for use in next(r for r in reports if r["training"] == name)["uses"]:
            found = _by_seed(reports, name, use)
            other = (name, f"r = share of {use}") if use.startswith("auto") else BASE
            base = _by_seed(reports, *other)
            both = sorted(found.keys() & base.keys())
            line = [name, use]
            line += [_spread([f[key] for f in found.values()], d) for key, d in FIGURES]
            if both and (name, use) != BASE:
                line.append(verdict([found[s]["PSNR"] - base[s]["PSNR"] for s in both], 3))
            else:
                line.append("")
            lines.append(line)
    header = ["trained", "used", "PSNR dB", "SAM °", "share", "s", "difference dB"]
    return results.table(header, lines)


FIGURES = (("PSNR", 3), ("SAM", 3), ("share", 2), ("seconds", 3))


def _by_seed(reports: Sequence[Report], training: str, use: str) -> dict[int, dict[str, float]]:
    return {r["seed"]: r["uses"][use] for r in reports if r["training"] == training}


def _spread(values: Sequence[float], digits: int) -> str:
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def _kept(reports: Sequence[Report]) -> str:
    rows = [report["kept"] for report in reports if report["kept"]]
    means = ", ".join(f"{mean(column):.1f}" for column in zip(*rows))
    return f"Terms kept where they stop (full scale and eighth, stage by stage): {means}."
