"""The request of rasd:confidencemap: where a model routes the points of a pair, and how surely."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from . import checks
from .errors import RequestError
from .source import RasterSource

# One raster of confidence and one of routing each.
MOST_RATIOS = 16


@dataclass(frozen=True)
class ConfidenceRequest:
    """Map the confidence and the routing of a model on a pair, for each of several ratios.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    folder: where `confidence_path` and `routing_path` put the rasters of each ratio.
    ratios: routing ratios, 0…1, each once. model_file: None takes the model that ships.
    extent: (xmin, ymin, xmax, ymax) in the multispectral layer's CRS; None takes all.
    psf_sigma: in coarse pixels; None takes that of a model made for two sensors, else has it
    estimated. tile_size: in fine pixels.
    """

    task: ClassVar[str] = "confidence"
    sources: ClassVar[tuple[str, ...]] = ("hyperspectral", "multispectral")
    outputs: ClassVar[tuple[str, ...]] = ("inside",)

    run_id: str
    hyperspectral: RasterSource
    multispectral: RasterSource
    folder: str
    model_file: str | None = None
    ratios: tuple[float, ...] = (0.5,)
    extent: tuple[float, float, float, float] | None = None
    psf_sigma: float | None = None
    device: str = "auto"
    tile_size: int = 512
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.run_id(self.run_id)
        for name in self.sources:
            if not isinstance(getattr(self, name), RasterSource):
                raise RequestError(f"The request's {name} must be a raster source.")
        checks.optional_text("model_file", self.model_file)
        checks.text("folder", self.folder)
        object.__setattr__(self, "ratios", _ratios(self.ratios))
        object.__setattr__(self, "extent", checks.extent(self.extent))
        if self.psf_sigma is not None:
            checks.number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, 10.0)
        checks.one_of("device", self.device, checks.DEVICES)
        checks.whole("tile size", self.tile_size, checks.LEAST_TILE, checks.GREATEST_TILE)
        object.__setattr__(self, "provenance", checks.provenance(self.provenance))

    @property
    def inside(self) -> str:
        """A path in the folder, by which leftovers are found."""
        return self.confidence_path(self.ratios[0])

    def confidence_path(self, ratio: float) -> str:
        """The raster of the confidence maps at a ratio."""
        return str(Path(self.folder) / f"confidence_r{ratio:g}.tif")

    def routing_path(self, ratio: float) -> str:
        """The raster of the routing at a ratio."""
        return str(Path(self.folder) / f"routing_r{ratio:g}.tif")


def _ratios(value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MOST_RATIOS:
        raise RequestError(
            f"Routing ratios must be 1 to {MOST_RATIOS} numbers, not {checks.shown(value)}.",
            "Give them with commas between, as in 0.3, 0.5, 0.9.",
        )
    for ratio in value:
        checks.number("routing ratio", ratio, 0.0, 1.0)
    if len({f"{ratio:g}" for ratio in value}) != len(value):
        raise RequestError(
            f"A routing ratio was given twice: {checks.shown(value)}.", "Give each once."
        )
    return tuple(float(ratio) for ratio in value)
