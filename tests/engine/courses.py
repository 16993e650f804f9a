"""Trainings for the tests: what they learn from, and ways to stop one."""

from __future__ import annotations

import io
from contextlib import ExitStack
from pathlib import Path

from rasd_fusion.rasd_qgis.contract.request import (
    RasterSource,
    TrainRequest,
)
from rasd_fusion.rasd_qgis.engine.learning.material import gather
from rasd_fusion.rasd_qgis.engine.learning.recipe import recipe_of
from rasd_fusion.rasd_qgis.engine.service.report import Reporter

from .scenes import FINE, Ground, centres, write

ENTRY = Path(__file__).resolve().parents[2] / "rasd_qgis/engine/__main__.py"
SIDE, GUIDE_BANDS = 48, 3
# Curves drawn at random need no wavelengths, which the ground of these tests does not have.
SENSORS = {"response": "random", "random_bands": GUIDE_BANDS, "device": "cpu"}


def made_references(folder, side):
    x, y = centres(FINE, side, side)
    return tuple(
        RasterSource(write(folder / f"r{seed}.tif", Ground(4.0, seed).at(x, y).astype("float32")))
        for seed in range(2)
    )


def request(folder, references, **changes) -> TrainRequest:
    usual = {
        "run_id": "0123abcd",
        "model_output": str(folder / "model.safetensors"),
        "references": references,
        "steps": 6,
        **SENSORS,
    }
    return TrainRequest(**{**usual, **changes})


def quiet() -> Reporter:
    return Reporter(io.StringIO())


class Stop(Exception):
    pass


class Stopping(io.StringIO):
    """A stream that ends the run, as a kill would, once training reported this step."""

    def __init__(self, step):
        super().__init__()
        self.words = f"step {step},"

    def write(self, text):
        if self.words in text:
            raise Stop
        return super().write(text)


def material(made: TrainRequest, stack: ExitStack):
    recipe = recipe_of(made.preset)
    pairs, blur = gather(made, recipe, stack, quiet())
    return pairs, blur, recipe
