"""The request of rasd:simulate: one reference raster in, a hyperspectral–multispectral pair out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from . import checks
from .errors import RequestError
from .source import RasterSource

RESPONSES = ("sensor", "table", "random")
# Files of resources/sensors.
SENSORS = ("Sentinel-2A", "Sentinel-2B", "Landsat-8", "Landsat-9", "RapidEye")
PHASES = ("centred", "published")
LEAST_RATIO, GREATEST_RATIO = 1.2, 256.0
GREATEST_SIGMA = 10.0
LEAST_MTF, GREATEST_MTF = 0.001, 0.95
GREATEST_SNR = 200.0


@dataclass(frozen=True)
class SimulateRequest:
    """Make a pair from a reference, by Wald's protocol.

    run_id: 8 or more hexadecimal digits; it names the run's temporary files.
    coarse_output, guide_output: final paths of the hyperspectral and the multispectral raster.
    ratio: coarse pixel over fine pixel, a real number.
    psf_sigma (in coarse pixels), mtf (at the coarse grid's Nyquist frequency): one of them may
    tell the Gaussian PSF; without either its full width at half maximum is a coarse pixel.
    kernel_size: fine pixels a side at which the PSF ends; None takes two coarse pixels or so.
    phase: "centred" puts a coarse pixel in the middle of its block, "published" on the block's
    pixel 0, as the benchmarks in the literature do.
    response: "sensor" by name, "table" from a file of responses by wavelength, "random" by seed.
    bands: of the sensor or table, by name; () takes the usual ones that the reference covers.
    snr_coarse, snr_guide: signal to noise in dB, band by band; None adds no noise.
    extent: (xmin, ymin, xmax, ymax) in the reference's CRS; None takes all.
    """

    task: ClassVar[str] = "simulate"
    sources: ClassVar[tuple[str, ...]] = ("reference",)
    outputs: ClassVar[tuple[str, ...]] = ("coarse_output", "guide_output")

    run_id: str
    reference: RasterSource
    coarse_output: str
    guide_output: str
    ratio: float = 4.0
    psf_sigma: float | None = None
    mtf: float | None = None
    kernel_size: int | None = None
    phase: str = "centred"
    response: str = "sensor"
    sensor: str = SENSORS[0]
    table: str | None = None
    bands: tuple[str, ...] = ()
    random_bands: int = 4
    snr_coarse: float | None = None
    snr_guide: float | None = None
    extent: tuple[float, float, float, float] | None = None
    seed: int = 0
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.run_id(self.run_id)
        if not isinstance(self.reference, RasterSource):
            raise RequestError("The request's reference must be a raster source.")
        for name in self.outputs:
            checks.text(name, getattr(self, name))
        self._check_blur()
        self._check_response()
        for name in ("snr_coarse", "snr_guide"):
            if getattr(self, name) is not None:
                checks.number("signal-to-noise ratio in dB", getattr(self, name), 0.0, GREATEST_SNR)
        checks.whole("seed", self.seed, 0, 2**63 - 1)
        object.__setattr__(self, "extent", checks.extent(self.extent))
        object.__setattr__(self, "provenance", checks.provenance(self.provenance))

    def _check_blur(self) -> None:
        """Raise RequestError where ratio, PSF and phase do not make one sensor."""
        checks.number("ratio", self.ratio, LEAST_RATIO, GREATEST_RATIO)
        checks.one_of("phase", self.phase, PHASES)
        if self.psf_sigma is not None and self.mtf is not None:
            raise RequestError(
                "Both a standard deviation and an MTF at Nyquist were given; each tells the PSF.",
                "Leave one of them out.",
            )
        if self.psf_sigma is not None:
            checks.number("PSF sigma in coarse pixels", self.psf_sigma, 0.0, GREATEST_SIGMA)
        if self.mtf is not None:
            checks.number("MTF at Nyquist", self.mtf, LEAST_MTF, GREATEST_MTF)
        if self.kernel_size is not None:
            checks.kernel(self.kernel_size, self.ratio)

    def _check_response(self) -> None:
        """Raise RequestError where no response function is named."""
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
