"""The demo trained on the scene, with three seeds, and a real pair beside it: `make bench-demo`.

What the network adds to its starting image is said as a mean over the seeds; how well the fused
image, blurred and decimated, gives the hyperspectral input back, on the demo and on one of the NEON
pairs, where ../shared/data holds them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from . import demo, results

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench-demo"
NEON = ROOT.parent / "shared" / "data" / "pair_neon_mlbs"
PLOT = "MLBS_10.tif"
SEEDS = (0, 1, 2)
LABELS = {
    "cubic": "cubic upsampling",
    "mtf_glp": "MTF-GLP hypersharpening",
    "start": "network's starting image",
    "fused": "fused",
}


def main(arguments: list[str]) -> int:
    """Run the demo for every seed, the NEON pair once, and write the section."""
    parser = argparse.ArgumentParser(prog="bench-demo")
    parser.add_argument("--steps", type=int, default=1000, help="of each training (1000)")
    steps = parser.parse_args(arguments).steps
    reports = []
    for seed in SEEDS:
        folder = FOLDER / f"seed-{seed}"
        training = ["--model", "scene", "--seed", str(seed), "--steps", str(steps)]
        status = demo.main([str(folder), *training])
        if status:
            return status
        reports.append(json.loads((folder / "figures.json").read_text(encoding="utf-8")))
    figures = {"steps": steps, "seeds": reports, "neon_consistency": neon_consistency(steps)}
    results.save("demo", "The demo, three seeds", _section(figures), figures)
    return 0


def neon_consistency(steps: int) -> float | None:
    """CONSISTENCY_HS of rasd:fuse on a NEON pair, a share of the range; None without the pair."""
    if not NEON.is_dir():
        return None
    values = {
        "INPUT_HS": NEON / "HSI" / PLOT,
        "INPUT_MS": NEON / "RGB" / PLOT,
        "OUTPUT": FOLDER / "neon.tif",
        "MODEL": "scene",
        "TRAINING_STEPS": steps,
    }
    command = [sys.executable, str(demo.QGIS_PROCESS), "run", "rasd:fuse", "--json", "--"]
    command += [f"{name}={value}" for name, value in values.items()]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return float(json.loads(run.stdout)["results"]["CONSISTENCY_HS"])


def _section(figures: dict[str, Any]) -> str:
    """The table, a row a method, and the sentences that the issue of the demo asks for."""
    reports = figures["seeds"]
    names = ("PSNR", "SAM", "ERGAS", "SSIM")
    rows = []
    for method, label in LABELS.items():
        means = [mean(report["methods"][method][name] for report in reports) for name in names]
        rows.append([label, *(f"{value:.4g}" for value in means)])
    gains = [r["methods"]["fused"]["PSNR"] - r["methods"]["start"]["PSNR"] for r in reports]
    consistency = mean(report["consistency_hyperspectral"] for report in reports)
    neon = figures["neon_consistency"]
    table = results.table(["method", "PSNR dB", "SAM °", "ERGAS", "SSIM"], rows)
    on_neon = "" if neon is None else f", on the NEON pair {PLOT} within {neon:.2%}"
    seeds = ", ".join(map(str, SEEDS))
    return f"""{reports[0]["scene"]}; {figures["steps"]} training steps on the scene,
routing ratio 0.5, means over the seeds {seeds}.

{table}

The network adds {mean(gains):.2f} dB to its starting image (by seed:
{", ".join(f"{gain:.2f}" for gain in gains)}). Fused, blurred and decimated, gives the hyperspectral
input back within {consistency:.2%} of its range{on_neon}."""
