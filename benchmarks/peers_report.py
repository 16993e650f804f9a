"""The peers' section of RESULTS.md: medians by method, each row, and the network's own share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from . import results
from .pairs import NOISE

Report = dict[str, Any]

ROLES = ("test", "left-out sensor", "real")
RASD_PREFIX = "rasd-"
SETTINGS = f"""
Wald's protocol, block-centred: a Gaussian PSF whose FWHM is the ratio, noise of {NOISE:.1%} of a
band's root mean square on both images (the demo: none, whole counts). Every method knows the PSF,
none the response function. *real*: NEON's 16 plots, camera averaged to 1 m, spectrometer to 2 and
4 m, fused one by one (`plots`) or side by side (`mosaic`), figures over all pixels. PSNR: mean over
bands, peak the reference's maximum. Seconds: start-up apart; of `rasd-scene` with its training,
on a machine that others used, so no time for comparing. `rasd-scene` is what training gave, also
where a run would have taken the bundled model instead. `rasd-bundled` starts from the guide that it
moved.
Peak: MiB above the process before. A method's process has OMP_NUM_THREADS as told above.
"""


def write(folder: Path, methods: Sequence[str]) -> None:
    """Write the section from all files of a folder; nothing where there are none."""
    reports = load(folder)
    if reports:
        body = render(reports, methods)
        results.save("peers", "Peers", body, sorted(reports, key=_order))


def load(folder: Path) -> list[Report]:
    """Every report of the folder."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*--*.json")]


def render(reports: Sequence[Report], methods: Sequence[str]) -> str:
    """The section in Markdown."""
    methods = [name for name in methods if any(r["method"] == name for r in reports)]
    rows: dict[str, dict[str, Report]] = {}
    for report in sorted(reports, key=_order):
        rows.setdefault(report["row"], {})[report["method"]] = report
    classical = [name for name in methods if not name.startswith(RASD_PREFIX)]
    parts = [SETTINGS.strip(), _training(reports), *_medians(rows, methods)]
    if classical != methods:
        parts += _medians(rows, classical)
    parts.append(_each(rows, methods))
    parts += [_shares(rows, name) for name in methods if name.startswith(RASD_PREFIX)]
    return "\n\n".join(part for part in parts if part)


def best_classical(row: dict[str, Report], figure: str) -> Report | None:
    """The best of a row's classical methods, the network's start among them; None without any."""
    found = [report for name, report in row.items() if not name.startswith(RASD_PREFIX)]
    found += [
        report["start"] | {"method": f"start of {name}"}
        for name, report in row.items()
        if "start" in report
    ]
    if not found:
        return None
    best = min if figure in ("SAM", "ERGAS") else max
    return best(found, key=lambda report: report[figure])


def _training(reports: Sequence[Report]) -> str:
    told = {
        f"{r['method']}: " + ", ".join(f"{name} {value}" for name, value in r["settings"].items())
        for r in reports
        if r["settings"]
    }
    return "; ".join(sorted(told)) + "." if told else ""


def _medians(rows: dict[str, dict[str, Report]], methods: Sequence[str]) -> list[str]:
    """A table for every role: medians over the rows that all methods have."""
    parts = []
    for role in ROLES:
        whole = [
            row
            for row in rows.values()
            if set(row) >= set(methods) and next(iter(row.values()))["role"] == role
        ]
        if not whole:
            continue
        lines = []
        for name in methods:
            of = {
                key: median(row[name][key] for row in whole)
                for key in ("PSNR", "SAM", "ERGAS", "SSIM", "seconds", "peak_mib")
            }
            lines.append(
                [
                    name,
                    f"{of['PSNR']:.2f}",
                    f"{of['SAM']:.3f}",
                    f"{of['ERGAS']:.3f}",
                    f"{of['SSIM']:.4f}",
                    f"{of['seconds']:.1f}",
                    f"{of['peak_mib']:.0f}",
                ]
            )
        header = ["method", "PSNR dB", "SAM °", "ERGAS", "SSIM", "seconds", "peak MiB"]
        title = f"### Medians: {role}, the {len(whole)} rows with all of {', '.join(methods)}"
        parts += [title, results.table(header, lines)]
    return parts


def _each(rows: dict[str, dict[str, Report]], methods: Sequence[str]) -> str:
    """PSNR and SAM of every method on every row, and what the networks gain over the best."""
    networks = [name for name in methods if name.startswith(RASD_PREFIX)]
    header = ["scene, ratio, guide", *methods, *(f"{name} over the best" for name in networks)]
    lines = []
    for row in rows.values():
        facts = next(iter(row.values()))
        line = [f"{facts['scene']} ({facts['size']}), ×{facts['ratio']}, {facts['guide']}"]
        line += [_pair_of_figures(row.get(name)) for name in methods]
        line += [_gain(row, name) for name in networks]
        lines.append(line)
    return f"### Every row: PSNR dB / SAM °\n\n{results.table(header, lines)}"


def _pair_of_figures(report: Report | None) -> str:
    return f"{report['PSNR']:.2f} / {report['SAM']:.3f}" if report else "–"


def _gain(row: dict[str, Report], name: str) -> str:
    psnr, angle = best_classical(row, "PSNR"), best_classical(row, "SAM")
    if name not in row or psnr is None or angle is None:
        return "–"
    report = row[name]
    more, less = report["PSNR"] - psnr["PSNR"], report["SAM"] - angle["SAM"]
    return f"{more:+.2f} / {less:+.3f}"


def _shares(rows: dict[str, dict[str, Report]], name: str) -> str:
    """What a network adds to its start, by routing ratio."""
    here = [row[name] for row in rows.values() if name in row]
    if not here:
        return ""
    ratios = list(here[0]["by_routing_ratio"])
    lines = []
    for report in here:
        start = report["start"]
        line = [report["row"], _pair_of_figures(start)]
        for ratio in ratios:
            found = report["by_routing_ratio"][ratio]
            more, less = found["PSNR"] - start["PSNR"], found["SAM"] - start["SAM"]
            line.append(f"{more:+.2f} / {less:+.3f}")
        lines.append(line)
    header = ["row", "start: dB / °", *(f"r = {ratio}" for ratio in ratios)]
    title = f"### The network's own share, {name}: what it adds to its start, by routing ratio"
    return f"{title}\n\n{results.table(header, lines)}"


def _order(report: Report) -> tuple[int, str, int, int, str]:
    bands = int(report["guide"].split(":")[0])
    role = ROLES.index(report["role"])
    return role, report["scene"], report["ratio"], bands, report["method"]
