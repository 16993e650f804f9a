"""Outputs: what a run of fusion writes, piece by piece, as the tiles are finished."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import numpy as np
from rasterio.windows import Window
from torch import Tensor

from ..contract.errors import OutputError
from ..contract.request import FuseRequest
from .general.network import GeneralNetwork
from .model.obtain import Fusion
from .model.one_tile import Wanted
from .rasters.align import Alignment
from .rasters.cells import JoinedRaster, is_joined
from .rasters.encode import Encoding
from .rasters.formats import check_folder, check_writable
from .rasters.read import Raster
from .rasters.spectral import SpectralInfo
from .rasters.write import OutputRaster
from .service.report import Reporter

# Variable of the environment: a file for the closed-form estimate that the network starts from. A
# figure for developers, so no parameter of the algorithm.
START_IMAGE = "RASD_FUSION_START_IMAGE"


def check_outputs(request: FuseRequest, hs: Raster) -> None:
    """Raise OutputError, before any work, where an output could not be written in the end."""
    inputs = request.hyperspectral.path, request.multispectral.path
    _check_raster(request.output, inputs, hs.count, hs.encoding.dtype, request.run_id)
    if request.confidence:
        _check_raster(request.confidence, (*inputs, request.output), 2, "float32", request.run_id)
    if request.uncertainty:
        others = (*inputs, request.output, *([request.confidence] if request.confidence else []))
        _check_raster(request.uncertainty, others, hs.count, "float32", request.run_id)
    if request.model_output:
        check_folder(request.model_output, (*inputs, request.output), request.run_id)


def _check_raster(path: str, inputs: tuple[str, ...], count: int, dtype: str, run_id: str) -> None:
    check_writable(path, inputs, count, dtype, "GTiff" if is_joined(path) else None, run_id)


class Outputs:
    """The rasters of a run; a context manager. They appear under their names when it ends well.

    OutputError where one is asked for that the model cannot give.
    """

    def __init__(
        self,
        request: FuseRequest,
        pair: Alignment,
        fusion: Fusion,
        model_id: str,
        reporter: Reporter,
    ) -> None:
        self._reporter, self._stack = reporter, ExitStack()
        self._dead = pair.hs.dead
        if request.uncertainty and not isinstance(fusion.model, GeneralNetwork):
            raise OutputError(
                "The model cannot tell how far the fused values may be off.",
                "Leave the uncertainty out, or fuse by the model that comes with the plugin.",
            )
        tags = _tags(request, fusion, model_id)
        self._bands = bands = pair.hs.spectral
        place = request.run_id, pair.fine
        wanted = [(request.output, bands, pair.hs.encoding)]
        if request.confidence:
            maps = SpectralInfo.of_names(map_names(fusion.model.network.config.stages))
            wanted.append((request.confidence, maps, Encoding("float32", float("nan"))))
        if request.uncertainty:
            wanted.append((request.uncertainty, bands, Encoding("float32", float("nan"))))
        start_image = os.environ.get(START_IMAGE)
        if start_image:
            wanted.append((start_image, bands, pair.hs.encoding))
        self.wanted = Wanted(bool(request.confidence), bool(request.uncertainty), bool(start_image))
        self._writers = [
            (JoinedRaster if is_joined(path) else OutputRaster)(
                path, *place, spectral, encoding, tags, cloud=request.dask_scheduler is not None
            )
            for path, spectral, encoding in wanted
        ]

    def __enter__(self) -> Outputs:
        with ExitStack() as stack:
            for writer in self._writers:
                stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def finish(self) -> None:
        """Complete every file under its temporary name, so that in the end all appear or none."""
        for writer in self._writers:
            writer.finish()

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)
        for note in (note for writer in self._writers for note in writer.notes):
            self._reporter.warn(note)

    @property
    def count(self) -> int:
        """How many rasters there are."""
        return len(self._writers)

    @property
    def missing(self) -> list[bool]:
        """By raster, whether any pixel so far is nodata."""
        return [writer.has_missing for writer in self._writers]

    @missing.setter
    def missing(self, known: list[bool]) -> None:
        for writer, has_missing in zip(self._writers, known):
            writer.has_missing = has_missing

    def stored(self, piece: Tensor) -> list[np.ndarray]:
        """A blended piece of stacked channels (channels, h, w), as each raster stores it."""
        valid = (piece[-1] > 0.5).numpy()
        stored, first = [], 0
        for writer in self._writers:
            values = piece[first : first + writer.spectral.count].numpy()
            first += writer.spectral.count
            # Maps have no dead bands, though there may be as many of them.
            if writer.spectral is self._bands:
                values[self._dead] = np.nan
            stored.append(writer.stored(values, valid))
        return stored

    def put(self, layer: int, window: Window, values: np.ndarray) -> None:
        """Write what `stored` gave into a raster."""
        self._writers[layer].put(window, values)


def map_names(stages: int) -> list[str]:
    """The names of the confidence bands: the mean, then a band a stage and scale."""
    names = ["confidence, mean of all stages"]
    for stage in range(1, stages + 1):
        names += [f"stage {stage}, full scale", f"stage {stage}, 1/8 scale"]
    return names


def _tags(request: FuseRequest, fusion: Fusion, model_id: str) -> dict[str, str]:
    """The run's provenance as the files' tags."""
    facts = {
        **request.provenance,
        "hyperspectral": request.hyperspectral.name or request.hyperspectral.path,
        "multispectral": request.multispectral.name or request.multispectral.path,
        "model": model_id,
        "routing_ratio": request.routing_ratio,
        "routing_mode": request.routing_mode,
        "psf_sigma": fusion.sigma,
        "card": asdict(fusion.card),
    }
    return {"TIFFTAG_SOFTWARE": "RASD Fusion", "provenance": json.dumps(facts)}
