"""RASD Fusion as a method among others: the engine's own run, from files to files.

A pair is written as an analyst would have it and fused by `engine.pipeline.fuse`, in this process.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from ..rasd_qgis.contract.request import FuseRequest
from ..rasd_qgis.contract.source import RasterSource
from ..rasd_qgis.engine import pipeline
from ..rasd_qgis.engine.model import obtain
from ..rasd_qgis.engine.outputs import START_IMAGE
from ..rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA
from ..rasd_qgis.engine.service.report import Reporter
from . import rasters
from .pairs import Pair

Image = NDArray[np.float64]

RUN_ID = "bec4be9c4"
CONVENTION = {"driver": "GTiff", "dtype": "float32", "crs": rasters.CRS}


@dataclass(frozen=True)
class Settings:
    """How a model comes about. steps: of its training, where it is trained on the pair. weights: a
    file that takes the place of the bundled model. psf_told: whether it is told the pair's PSF.
    """

    steps: int
    seed: int = 0
    weights: str | None = None
    psf_told: bool = True


class Fusion:
    """A pair on disk and a model for it: made by the first `fuse`, used again by the others.

    model: of the request, "scene" or another that the engine knows; what is trained on the scene is
    used here even where a run would prefer the bundled model. results: of the last run.
    """

    def __init__(self, pair: Pair, model: str, settings: Settings, folder: Path) -> None:
        self._pair, self._model, self._settings, self._folder = pair, model, settings, folder
        self._weights = folder / "model.safetensors"
        self.results: dict[str, Any] = {}
        for name, image, pixel in (("coarse", pair.coarse, pair.ratio), ("guide", pair.guide, 1)):
            write_image(folder / f"{name}.tif", image, float(pixel))

    def fuse(self, ratio: float, routing_mode: str = "fixed") -> Image:
        """(B, H, W), at a routing ratio."""
        self._run(ratio, routing_mode)
        return rasters.read(self._folder / "fused.tif")

    def fuse_and_spread(self, ratio: float) -> tuple[Image, Image]:
        """The same, and the half-width of the interval that the model gives every value."""
        path = self._folder / "uncertainty.tif"
        self._run(ratio, "fixed", str(path))
        return rasters.read(self._folder / "fused.tif"), rasters.read(path)

    def fuse_and_start(self, ratio: float) -> tuple[Image, Image]:
        """The same, and what the network starts from."""
        path = self._folder / "start.tif"
        os.environ[START_IMAGE] = str(path)
        try:
            return self.fuse(ratio), rasters.read(path)
        finally:
            del os.environ[START_IMAGE]

    def psf_sigma(self) -> float:
        """The standard deviation, in coarse pixels, by which the last run fused."""
        with rasterio.open(self._folder / "fused.tif") as dataset:
            return float(json.loads(dataset.tags()["provenance"])["psf_sigma"])

    def _run(self, ratio: float, routing_mode: str, uncertainty: str | None = None) -> None:
        is_made = self._model == "scene" and self._weights.exists()
        weights = str(self._weights) if is_made else self._settings.weights
        request = FuseRequest(
            run_id=RUN_ID,
            hyperspectral=RasterSource(str(self._folder / "coarse.tif")),
            multispectral=RasterSource(str(self._folder / "guide.tif")),
            output=str(self._folder / "fused.tif"),
            uncertainty=uncertainty,
            model="file" if weights else self._model,
            model_file=weights,
            model_output=str(self._weights) if self._model == "scene" and not is_made else None,
            routing_ratio=ratio,
            routing_mode=routing_mode,
            training_steps=self._settings.steps,
            psf_sigma=spread(self._pair) if self._settings.psf_told else None,
            seed=self._settings.seed,
        )
        with training_kept():
            self.results = pipeline.fuse(request, Reporter(io.StringIO()))


@contextmanager
def training_kept() -> Iterator[None]:
    """Inside, what was trained on a scene is used, whatever `model.contest` says of it."""
    with patch.object(obtain, "is_worth", lambda trained, shipped_error: True):
        yield


@contextmanager
def fusions(pairs: Sequence[Pair], model: str, settings: Settings) -> Iterator[list[Fusion]]:
    """A `Fusion` of every pair, in folders that go in the end."""
    with tempfile.TemporaryDirectory(prefix="rasd-bench-") as root:
        made = []
        for number, pair in enumerate(pairs):
            folder = Path(root) / str(number)
            folder.mkdir()
            made.append(Fusion(pair, model, settings, folder))
        yield made


def spread(pair: Pair) -> float:
    """The standard deviation of the pair's PSF in coarse pixels."""
    if pair.kernel is None:
        return DEFAULT_SIGMA
    place = np.arange(len(pair.kernel)) - (len(pair.kernel) - 1) / 2
    return float(np.sqrt(pair.kernel @ place**2) / pair.ratio)


def warm_up(pair: Pair, model: str) -> None:
    """A run on a small pair, so that the next does not pay for what is compiled or loaded once."""
    with fusions([pair], model, Settings(2)) as made:
        made[0].fuse(0.5)


def write_image(path: Path, image: Image, pixel: float) -> None:
    """Write (B, H, W) as float32, its pixels so many metres wide, on the ground of the demo."""
    count, height, width = image.shape
    place = Affine(pixel, 0.0, rasters.LEFT, 0.0, -pixel, rasters.TOP)
    shape = {"count": count, "height": height, "width": width, "transform": place}
    with rasterio.open(path, "w", **CONVENTION, **shape) as dataset:
        dataset.write(image.astype(np.float32))
