"""The request of rasd:derive: what is read off a hyperspectral raster once it is fused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from . import checks
from .errors import RequestError
from .source import RasterSource

MOST_COMPONENTS = 64
# Wavelengths in nm of the normalised difference of near infrared and red (NDVI).
NEAR_INFRARED, RED = 800.0, 670.0
LEAST_NM, GREATEST_NM = 100.0, 100_000.0


@dataclass(frozen=True)
class DeriveRequest:
    """Make principal components, and a normalised difference of two wavelengths.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    components, index: final paths, one at least; None leaves that output out.
    count: of the components. first, second: wavelengths in nm; the index is (a - b) / (a + b) of
    the good bands nearest to them.
    """

    task: ClassVar[str] = "derive"
    sources: ClassVar[tuple[str, ...]] = ("raster",)
    outputs: ClassVar[tuple[str, ...]] = ("components", "index")

    run_id: str
    raster: RasterSource
    components: str | None = None
    index: str | None = None
    count: int = 5
    first: float = NEAR_INFRARED
    second: float = RED
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.run_id(self.run_id)
        if not isinstance(self.raster, RasterSource):
            raise RequestError("The request's raster must be a raster source.")
        for name in self.outputs:
            checks.optional_text(name, getattr(self, name))
        if not (self.components or self.index):
            raise RequestError(
                "Neither components nor an index are asked for.", "Choose one output at least."
            )
        checks.whole("number of components", self.count, 1, MOST_COMPONENTS)
        for name, value in (("first", self.first), ("second", self.second)):
            checks.number(f"{name} wavelength in nm", value, LEAST_NM, GREATEST_NM)
        object.__setattr__(self, "provenance", checks.provenance(self.provenance))
