"""The request of rasd:train: references, benchmark folders or pairs in, a model file out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from . import checks
from .errors import RequestError
from .simulate_request import (
    GREATEST_RATIO,
    GREATEST_SIGMA,
    LEAST_RATIO,
    PHASES,
    RESPONSES,
    SENSORS,
)
from .source import RasterSource

# "laptop" is for two cores; the others are the paper's settings, with its epochs by data set.
PRESETS = ("laptop", "paper-cave", "paper-icvl", "paper-kaist")
LAYOUTS = ("cave", "icvl", "kaist")


@dataclass(frozen=True)
class TrainRequest:
    """Train a model on references, or on pairs of a hyperspectral and a multispectral raster.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    model_output: the model file; checkpoint and loss curve stand beside it.
    references: high-resolution hyperspectral rasters, of which pairs are made (Wald's protocol); or
    the truth of the pairs, one each in their order.
    folder, layout: a benchmark as it is published, every scene in it one reference.
    hyperspectral, multispectral: pairs, in order; without references, reduced by their ratio.
    preset: the settings of training. minutes: a budget; steps, where given, replaces it; None takes
    the preset's. resume: go on at a checkpoint beside the model; False begins anew.
    ratio, psf_sigma (coarse pixels), kernel_size (fine pixels), phase, response, sensor, table,
    bands, random_bands: how pairs are made of references, as in `SimulateRequest`; None takes the
    preset's, which for the paper's are 8, 3/8 and 8; of ready pairs the PSF is estimated instead.
    """

    task: ClassVar[str] = "train"
    sources: ClassVar[tuple[str, ...]] = ()
    source_lists: ClassVar[tuple[str, ...]] = ("references", "hyperspectral", "multispectral")
    outputs: ClassVar[tuple[str, ...]] = ("model_output",)

    run_id: str
    model_output: str
    references: tuple[RasterSource, ...] = ()
    folder: str | None = None
    layout: str = LAYOUTS[0]
    hyperspectral: tuple[RasterSource, ...] = ()
    multispectral: tuple[RasterSource, ...] = ()
    preset: str = PRESETS[0]
    minutes: float | None = None
    steps: int | None = None
    resume: bool = True
    ratio: float | None = None
    psf_sigma: float | None = None
    kernel_size: int | None = None
    phase: str = PHASES[0]
    response: str = RESPONSES[0]
    sensor: str = SENSORS[0]
    table: str | None = None
    bands: tuple[str, ...] = ()
    random_bands: int = 4
    device: str = "auto"
    seed: int = 0
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.run_id(self.run_id)
        checks.text("model_output", self.model_output)
        if Path(self.model_output).suffix.lower() != ".safetensors":
            raise RequestError(
                f"A model is written as .safetensors, not as {self.model_output}.",
                "Choose a file name that ends in .safetensors.",
            )
        for name in self.source_lists:
            object.__setattr__(self, name, _sources(name, getattr(self, name)))
        self._check_material()
        self._check_training()
        self._check_sensors()
        object.__setattr__(self, "provenance", checks.provenance(self.provenance))

    @property
    def sensor_ratio(self) -> float:
        """The ratio asked for, or the preset's."""
        if self.ratio is not None:
            return self.ratio
        return 4.0 if self.preset == "laptop" else 8.0

    def _check_material(self) -> None:
        """Raise RequestError where it is not clear what to train on."""
        checks.optional_text("folder", self.folder)
        checks.one_of("layout", self.layout, LAYOUTS)
        pairs = len(self.hyperspectral)
        if pairs != len(self.multispectral):
            raise RequestError(
                f"{pairs} hyperspectral and {len(self.multispectral)} multispectral layers make no "
                "pairs.",
                "Give as many of one as of the other, in the same order.",
            )
        if pairs and self.folder is not None:
            raise RequestError(
                "Both pairs and a benchmark folder were given.", "Leave one of them out."
            )
        if pairs and self.references and len(self.references) != pairs:
            raise RequestError(
                f"{len(self.references)} references were given for {pairs} pairs.",
                "Give one reference for each pair, in the same order, or none.",
            )
        if not (pairs or self.references or self.folder):
            raise RequestError(
                "There is nothing to train on.",
                "Give reference rasters, a benchmark folder, or pairs of layers.",
            )

    def _check_training(self) -> None:
        """Raise RequestError where the settings of training are out of their ranges."""
        checks.one_of("preset", self.preset, PRESETS)
        checks.one_of("device", self.device, checks.DEVICES)
        if self.minutes is not None:
            checks.number("training time in minutes", self.minutes, 0.001, math.inf)
        if self.steps is not None:
            checks.whole("number of training steps", self.steps, 1, 10**9)
        if not isinstance(self.resume, bool):
            raise RequestError(f"Resume must be true or false, not {checks.shown(self.resume)}.")
        checks.whole("seed", self.seed, 0, 2**63 - 1)

    def _check_sensors(self) -> None:
        """Raise RequestError where ratio, PSF and response do not make two sensors."""
        if self.ratio is not None:
            checks.number("ratio", self.ratio, LEAST_RATIO, GREATEST_RATIO)
        checks.one_of("phase", self.phase, PHASES)
        if self.psf_sigma is not None:
            checks.number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, GREATEST_SIGMA)
        if self.kernel_size is not None:
            checks.kernel(self.kernel_size, self.sensor_ratio)
        checks.one_of("response", self.response, RESPONSES)
        checks.one_of("sensor", self.sensor, SENSORS)
        checks.optional_text("table", self.table)
        if self.response == "table" and self.table is None:
            raise RequestError(
                "The response is to come from a table, but no table was given.",
                "Choose a CSV file: wavelengths in the first column, then a column a band.",
            )
        checks.whole("number of random bands", self.random_bands, 1, 64)
        object.__setattr__(self, "bands", checks.names(self.bands))


def _sources(name: str, value: Any) -> tuple[RasterSource, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, RasterSource) for v in value):
        raise RequestError(f"The request's {name} must be raster sources.")
    return tuple(value)
