"""The bundled model beside its peers: at which size, how fast, how honest about its errors, and by
how much worse where nobody tells it the sensor's blur.

    python benchmarks bundled [--no-times]

Sizes: one scene mirrored up and simulated anew at each side, so that the ground is the same and
only the size differs. Times: 31 bands and a guide of 3 at ratio 4 from files to files, in one run
with CNMF (30 endmembers, 3 rounds of 200 updates) from arrays to arrays. Coverage: the share of
values of a reference that lie within the stated interval, by thirds of the bands. Blur: pairs whose
PSF is told, estimated by the run, or taken for the usual.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA
from . import metrics, pairs, rasd, results, scenes
from .degrade import blur_and_decimate
from .peers import cnmf
from .whole import mixture

Image = NDArray[np.float64]

RATIO, GUIDE_BANDS, ROUTING = 4, 4, 0.5
SIDES = (64, 128, 256, 512, 1024)
TIMED_SIDES = (256, 1024)
# Bands of the scene that is mirrored up: as many as fit in memory beside their copies.
MIRRORED, MIRRORED_BANDS = "enmap-west", 31
COVERED = ("demo", "neon-plots", "neon-mosaic", "indian-pines", "cave-balloons", "enmap-west")
# Rows whose PSF is left untold; the simulated ones have other widths too, in coarse pixels.
BLURRED = ("demo", "indian-pines-x4-4", "cave-balloons-x4-3", "enmap-west-x4-4")
BLURRED_REAL = ("neon-mosaic-x2", "neon-mosaic-x4")
SIGMAS = (0.3, 0.6)
COVERED_RATIOS = ("x2-4", "x4-3", "x4-4", "x4-10", "x8-4", "x2", "x4")
RECORD = results.RESULTS.parent / "results" / "bundled.json"
SETTINGS = rasd.Settings(0)
UNTOLD = rasd.Settings(0, psf_told=False)


def main(arguments: list[str]) -> int:
    """Measure all four and write the section."""
    parser = argparse.ArgumentParser(prog="bundled")
    parser.add_argument("--no-times", action="store_true", help="keep the times of the last record")
    options = parser.parse_args(arguments)
    rasd.warm_up(mixture(64), "bundled")
    figures: dict[str, Any] = {"sizes": sizes(), "coverage": coverage(), "blur": blur()}
    figures |= _last_times() if options.no_times else {"times": times()}
    results.save("bundled", "The bundled model", section(figures), figures)
    return 0


def _last_times() -> dict[str, Any]:
    """The times on record, with the day of their measurement."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    figures = record.get("figures", {})
    if "times" not in figures:
        return {}
    return {"times": figures["times"], "timed": figures.get("timed", record["machine"]["date"])}


def sizes() -> dict[str, dict[str, float]]:
    """Figures by side, and those of the start."""
    place = next(one for one in scenes.PLACES if one.name == MIRRORED)
    if not place.is_here():
        return {}
    scene = place.load()
    chosen = np.linspace(0, len(scene.cube) - 1, MIRRORED_BANDS).round().astype(int)
    waves = scene.wavelengths and tuple(scene.wavelengths[index] for index in chosen)
    found = {}
    for side in SIDES:
        cube = mirrored(scene.cube[chosen], side)
        pair = pairs.simulated(replace(scene, cube=cube, wavelengths=waves), RATIO, GUIDE_BANDS)
        fused, start = _fused(pair, lambda fusion: fusion.fuse_and_start(ROUTING))
        found[str(side)] = {
            "start": metrics.psnr(start, cube),
            "start_sam": metrics.spectral_angle(start, cube),
            "fused": metrics.psnr(fused, cube),
            "fused_sam": metrics.spectral_angle(fused, cube),
        }
    return found


def mirrored(cube: Image, side: int) -> Image:
    """(B, n, m) mirrored at its borders until it has `side` pixels a side."""
    room = [(0, 0), *((0, max(0, side - size)) for size in cube.shape[1:])]
    return np.ascontiguousarray(np.pad(cube, room, mode="symmetric")[:, :side, :side])


def coverage() -> dict[str, list[float]]:
    """By row, the share of covered values: of all bands, then of each third of them."""
    found = {}
    for wanted in pairs.wanted():
        scene, _, kind = wanted.name.partition("-x")
        if scene not in COVERED or (kind and f"x{kind}" not in COVERED_RATIOS):
            continue
        row, inside = wanted.make(), []
        for pair in row.pairs:
            fused, spread = _fused(pair, lambda fusion: fusion.fuse_and_spread(ROUTING))
            near = np.abs(fused - pair.reference) <= spread
            inside.append(near.reshape(len(near), -1))
        covered = np.concatenate(inside, 1).mean(1)
        parts = [covered, *np.array_split(covered, 3)]
        found[wanted.name] = [round(float(part.mean()), 4) for part in parts]
    return found


def blur() -> dict[str, dict[str, float]]:
    """By row and width of its PSF, the estimated width and PSNR: told, estimated and the usual."""
    found = {}
    for wanted in pairs.wanted():
        if wanted.name not in BLURRED + BLURRED_REAL:
            continue
        (pair,) = wanted.make().pairs
        others = [_seen_through(pair, sigma) for sigma in SIGMAS if wanted.name in BLURRED]
        for one in (pair, *others):
            found[f"{wanted.name}, {rasd.spread(one):.2f}"] = _blurred(one)
    return found


def _seen_through(pair: pairs.Pair, sigma: float) -> pairs.Pair:
    """The pair, its reference seen through a Gaussian PSF of that width, and 0.3 % of noise."""
    margin = pair.ratio
    place = np.arange(pair.ratio + 2 * margin) - (pair.ratio + 2 * margin - 1) / 2
    kernel = np.exp(-0.5 * (place / (sigma * pair.ratio)) ** 2)
    kernel /= kernel.sum()
    coarse = blur_and_decimate(pair.reference, pair.ratio, kernel)
    noisy = pairs.noisy(coarse, np.random.default_rng(pair.ratio), pairs.NOISE)
    return replace(pair, coarse=noisy, kernel=kernel)


def _blurred(pair: pairs.Pair) -> dict[str, float]:
    told = _fused(pair, lambda fusion: fusion.fuse(ROUTING))
    usual = _fused(replace(pair, kernel=None), lambda fusion: fusion.fuse(ROUTING))
    image, sigma = _fused(pair, lambda fusion: (fusion.fuse(ROUTING), fusion.psf_sigma()), UNTOLD)
    images = {"told": told, "estimated": image, "usual": usual}
    return {"sigma": sigma} | {k: metrics.psnr(i, pair.reference) for k, i in images.items()}


def times() -> dict[str, dict[str, float]]:
    """Seconds of both by side."""
    found = {}
    for side in TIMED_SIDES:
        pair = mixture(side)
        ours = _timed(partial(_fused, pair, lambda fusion: fusion.fuse(ROUTING)))
        peer = _timed(partial(cnmf.fuse, pair.coarse, pair.guide, pair.ratio))
        found[str(side)] = {"bundled": ours, "cnmf": peer, "share": ours / peer}
    return found


def section(figures: dict[str, Any]) -> str:
    """The section in Markdown."""
    by_side = [
        [
            side,
            f"{f['start']:.2f} / {f['start_sam']:.3f}",
            f"{f['fused']:.2f} / {f['fused_sam']:.3f}",
        ]
        for side, f in figures["sizes"].items()
    ]
    by_row = [
        [row, *(f"{100 * share:.1f}" for share in shares)]
        for row, shares in figures["coverage"].items()
    ]
    by_blur = [
        [row, *(f"{f[key]:.2f}" for key in ("sigma", "told", "estimated", "usual"))]
        for row, f in figures["blur"].items()
    ]
    told = (
        f"r = {ROUTING}. Sizes: {MIRRORED_BANDS} bands of {MIRRORED}, a mirrored mosaic at each "
        f"side, ratio {RATIO}, a guide of {GUIDE_BANDS}."
    )
    untold = (
        "PSNR in dB where the PSF (a standard deviation in coarse pixels) is told, where the run "
        f"estimates it, and where it is taken for the usual {DEFAULT_SIGMA:.2f}:"
    )
    parts = [
        told,
        results.table(["pixels a side", "start dB / °", "fused dB / °"], by_side),
        "Share of the reference's values within the interval that should hold 90 %, in per cent:",
        results.table(["row", "all bands", "first third", "second", "last"], by_row),
        untold,
        results.table(["row, PSF", "estimated PSF", "told", "estimated", "usual"], by_blur),
    ]
    if "times" in figures:
        timed = f" (measured on {figures['timed']})" if "timed" in figures else ""
        lines = [
            [side, f"{f['bundled']:.2f}", f"{f['cnmf']:.2f}", f"{f['share']:.2f}"]
            for side, f in figures["times"].items()
        ]
        parts += [
            f"31 bands and a guide of 3 at ratio 4, writing the input files included{timed}:",
            results.table(["pixels a side", "rasd:fuse s", "CNMF s", "share"], lines),
        ]
    return "\n\n".join(parts)


def _fused(
    pair: pairs.Pair, call: Callable[[rasd.Fusion], Any], settings: rasd.Settings = SETTINGS
) -> Any:
    with tempfile.TemporaryDirectory(prefix="rasd-bundled-") as folder:
        return call(rasd.Fusion(pair, "bundled", settings, Path(folder)))


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
