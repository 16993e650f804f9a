"""Whole runs of rasd:fuse beside the classical peers: files in, files out, start-up apart.

A pair of 31 bands and a guide of 3, four times as fine: mixtures of a few spectra, for methods that
stop when they have found them. The model is from a file, as where a scene has been learnt before.
CNMF has 30 endmembers and 3 rounds of 200 updates, and like GLP it is given arrays, not files.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import rasd
from .degrade import blur_and_decimate
from .pairs import Pair
from .peers import cnmf, glp

BANDS, GUIDE_BANDS, SPECTRA, RATIO = 31, 3, 8, 4
NOISE = 0.003
ROUTING = 0.5
ONE_TURN_ABOVE = 256  # pixels a side

Call = Callable[[], object]
InTurns = Callable[[dict[str, Call], int], dict[str, list[float]]]


def whole_runs(
    sides: Sequence[int], turns: int, in_turns: InTurns, network: Callable[[int], Call]
) -> dict[int, dict[str, Any]]:
    """Seconds of each method by side, and of the network's one pass alone; ratios to rasd:fuse."""
    found = {}
    for side in sides:
        pair = mixture(side)
        with tempfile.TemporaryDirectory(prefix="rasd-speed-") as folder:
            fusion = rasd.Fusion(pair, "scene", rasd.Settings(2), Path(folder))
            calls: dict[str, Call] = {
                "rasd:fuse": partial(fusion.fuse, ROUTING),
                "the network's pass in it": network(side),
                "CNMF": partial(cnmf.fuse, pair.coarse, pair.guide, RATIO),
                "GLP": partial(glp.fuse, pair.coarse, pair.guide, RATIO),
            }
            # CNMF takes minutes on large images: one turn tells enough
            times = in_turns(calls, turns if side <= ONE_TURN_ABOVE else 1)
        ours = times["rasd:fuse"]
        found[side] = {
            name: {
                "seconds": statistics.median(spent),
                "over_ours": statistics.median(a / b for a, b in zip(spent, ours)),
            }
            for name, spent in times.items()
        }
    return found


def mixture(side: int) -> Pair:
    """Smooth shares of a few smooth spectra, with noise: a square of `side` fine pixels."""
    random = np.random.default_rng(side)
    rows, columns = np.mgrid[0:side, 0:side] / side
    angles = random.uniform(-60, 60, (2, SPECTRA, 1, 1))
    shares = 1 + np.sin(angles[0] * rows + angles[1] * columns)
    centres, place = np.linspace(0, 1, SPECTRA)[:, None], np.linspace(0, 1, BANDS)
    spectra = np.exp(-(((place - centres) / 0.15) ** 2))
    reference = np.tensordot(spectra.T, shares / shares.sum(0), 1)
    reference += random.normal(0, NOISE, reference.shape)
    guide = np.stack([part.mean(0) for part in np.array_split(reference, GUIDE_BANDS)])
    return Pair(blur_and_decimate(reference, RATIO), guide, reference, RATIO)
