"""The demo: a real scene fused by QGIS's own qgis_process, and measured against its peers.

    python benchmarks demo FOLDER [--model scene]

First the pair is made from Indian Pines, then `rasd:fuse` runs as a user would run it, then the
figures are taken. FOLDER ends up with the three inputs, fused.tif, confidence.tif, start.tif (the
network's starting image), figures.json and preview.png. The model is the one that ships, in whose
training this scene is not; `--model scene` trains on the pair.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rasd_qgis.engine.outputs import START_IMAGE
from . import indian_pines, metrics, rasters
from .degrade import blur_and_decimate
from .indian_pines import RATIO, Pair
from .peers import cubic, glp
from .preview import draw_preview

Image = NDArray[np.float64]

QGIS_PROCESS = Path(__file__).resolve().parent.parent / "tools" / "qgis_process"
COLOURS_NM = (660.0, 560.0, 480.0)
MADE = ("fused.tif", "confidence.tif", "start.tif", "figures.json", "preview.png")


def main(arguments: list[str]) -> int:
    """Make the pair, fuse it, measure it; the exit status of qgis_process where that fails."""
    parser = argparse.ArgumentParser(prog="demo", description="Fuse Indian Pines and measure it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=("bundled", "scene"), default="bundled")
    parser.add_argument("--seed", type=int, default=0, help="of a training on the scene (0)")
    parser.add_argument("--steps", type=int, help="of that training, in place of its minutes")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    print(indian_pines.ATTRIBUTION, flush=True)
    pair = indian_pines.load_pair()
    rasters.write_pair(folder, pair)
    started = time.monotonic()
    status = fuse(folder, options.model, options.seed, options.steps)
    seconds = time.monotonic() - started
    if status:
        return status
    report = measure(folder, pair) | {
        "model": options.model,
        "seed": options.seed,
        "seconds": round(seconds, 1),
    }
    (folder / "figures.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    draw(folder, pair)
    print_table(report)
    print(f"Results in {folder}; look at {folder / 'preview.png'}")
    return 0


def fuse(folder: Path, model: str, seed: int, steps: int | None) -> int:
    """Run rasd:fuse on the folder's pair by tools/qgis_process; its exit status."""
    for name in MADE:
        (folder / name).unlink(missing_ok=True)
    values = {
        "INPUT_HS": folder / "hyperspectral.tif",
        "INPUT_MS": folder / "multispectral.tif",
        "OUTPUT": folder / "fused.tif",
        "CONFIDENCE": folder / "confidence.tif",
        "MODEL": model,
        "SEED": seed,
    }
    if steps is not None:
        values["TRAINING_STEPS"] = steps
    command = [sys.executable, str(QGIS_PROCESS), "run", "rasd:fuse", "--"]
    command += [f"{name}={value}" for name, value in values.items()]
    environment = os.environ | {START_IMAGE: str(folder / "start.tif")}
    return subprocess.run(command, env=environment, check=False).returncode


def measure(folder: Path, pair: Pair) -> dict[str, Any]:
    """Every method's figures against the reference, and how well fused gives its input back."""
    fused = rasters.read(folder / "fused.tif")
    images = {
        "cubic": cubic.upsample(pair.hyperspectral, RATIO),
        "mtf_glp": glp.fuse(pair.hyperspectral, pair.multispectral, RATIO),
        "start": rasters.read(folder / "start.tif"),
        "fused": fused,
    }
    seen_again = blur_and_decimate(fused, RATIO)
    return {
        "scene": "Indian Pines 144 x 144, ratio 4, ten-band guide, no noise",
        "ratio": RATIO,
        "methods": {
            name: metrics.all_figures(image, pair.reference, RATIO)
            for name, image in images.items()
        },
        "consistency_hyperspectral": metrics.relative_rmse(seen_again, pair.hyperspectral),
    }


def draw(folder: Path, pair: Pair) -> None:
    """Draw preview.png from the folder's results."""
    distances = np.abs(np.subtract.outer(COLOURS_NM, pair.wavelengths))
    bands = distances.argmin(axis=1)
    images = {
        f"input ({RATIO * rasters.FINE_PIXEL:.0f} m)": pair.hyperspectral[bands],
        f"fused ({rasters.FINE_PIXEL:.0f} m)": rasters.read(folder / "fused.tif")[bands],
        "reference": pair.reference[bands],
    }
    confidence = rasters.read(folder / "confidence.tif")[0]
    draw_preview(folder / "preview.png", images, confidence, "reference")


def print_table(report: Mapping[str, Any]) -> None:
    """Print the figures, a method a line."""
    labels = {
        "cubic": "cubic upsampling",
        "mtf_glp": "MTF-GLP hypersharpening",
        "start": "network's starting image",
        "fused": "fused",
    }
    print(f"\n{'':26}{'PSNR dB':>9}{'SAM deg':>9}{'ERGAS':>8}{'SSIM':>8}")
    for name, label in labels.items():
        row = report["methods"][name]
        print(f"{label:26}{row['PSNR']:9.2f}{row['SAM']:9.3f}{row['ERGAS']:8.3f}{row['SSIM']:8.4f}")
    start, fused = (report["methods"][name] for name in ("start", "fused"))
    print(
        f"\nthe network (model {report['model']}) adds {fused['PSNR'] - start['PSNR']:+.2f} dB and "
        f"{fused['SAM'] - start['SAM']:+.3f} degrees to its starting image"
    )
    share = report["consistency_hyperspectral"]
    print(f"fused, blurred and decimated, is the input again within {share:.2%} of its range")
    print(f"{report['seconds']} s, the starts of QGIS and of the engine among them\n")
