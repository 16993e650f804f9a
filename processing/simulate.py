"""rasd:simulate: one reference layer in, the pair that two sensors would have seen of it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsRasterLayer

from ..rasd_qgis.contract.request import SimulateRequest
from . import simulate_parameters as names
from .base import one_line_paragraphs
from .engine_algorithm import EngineAlgorithm, Raster
from .styles import Look, natural_colour
from .translation import tr


class SimulateAlgorithm(EngineAlgorithm[SimulateRequest]):
    """Simulate a hyperspectral–multispectral pair."""

    icon_name = "simulate.svg"

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "simulate"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Simulate a hyperspectral–multispectral pair")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        words = tr(
            "hyperspectral,multispectral,simulation,degrade,Wald,PSF,MTF,blur,decimate,"
            "spectral response,Sentinel-2,Landsat,noise,SNR,reference,benchmark"
        )
        return words.split(",")

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Degrades a reference into a pair whose fusion is known.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in names.parameters():
            self.addParameter(parameter)
        for output in names.other_outputs():
            self.addOutput(output)

    def check_values(self, values: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """The values as QGIS's own checks understand them."""
        return names.check(self, values, context)

    def make_request(
        self, values: dict[str, Any], context: QgsProcessingContext
    ) -> SimulateRequest:
        """The request that these values make."""
        return names.simulate_request(self, values, context)

    def results(self, request: SimulateRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """Paths and figures by output name."""
        return {
            names.OUTPUT_HS: request.coarse_output,
            names.OUTPUT_MS: request.guide_output,
            **{name: values.get(word) for name, (_, word) in names.NUMBERS.items()},
            names.GUIDE_BAND_NAMES: ",".join(values.get("GUIDE_BAND_NAMES", ())),
        }

    def rasters(self, request: SimulateRequest) -> list[Raster]:
        """The two of the pair."""
        title = self.title(request)
        coarse, guide = tr("{} hyperspectral").format(title), tr("{} multispectral").format(title)
        return [
            Raster(names.OUTPUT_HS, request.coarse_output, coarse),
            Raster(names.OUTPUT_MS, request.guide_output, guide, on_top=True),
        ]

    def find_look(self, raster: Raster, values: Mapping[str, Any]) -> Look:
        """Natural colour."""
        rgb = values.get("RGB_COARSE" if raster.parameter == names.OUTPUT_HS else "RGB_GUIDE")
        return natural_colour(QgsRasterLayer(raster.path, "simulated", "gdal"), rgb)

    def title(self, request: SimulateRequest) -> str:
        """The reference's name."""
        return request.reference.name

    def history(self, request: SimulateRequest, values: Mapping[str, Any]) -> str:
        """One line that says where the result comes from."""
        facts = request.provenance
        return (
            f"{facts['started']} {facts['algorithm']} ({facts['plugin']}, QGIS {facts['qgis']}): "
            f"{request.reference.path} at ratio {request.ratio:g}, PSF of "
            f"{values.get('PSF_SIGMA')} coarse pixels, phase {request.phase}, guide bands "
            f"{', '.join(values.get('GUIDE_BAND_NAMES', ()))}, noise "
            f"{request.snr_coarse} and {request.snr_guide} dB, seed {request.seed}"
        )


_HELP = """Makes a hyperspectral and a multispectral layer out of one reference, a hyperspectral
layer of high resolution, by Wald's protocol. What their fusion ought to be is then known: the
reference.

Ratio: how many pixels of the reference are one of the hyperspectral layer, along either axis. It
need not be whole.

The sensor's blur is a Gaussian, told by its standard deviation in coarse pixels or by its MTF at
the Nyquist frequency of the coarse grid (0.3 is usual); without either its full width at half
maximum is a coarse pixel, as “Fuse” assumes. The kernel has the ratio's parity, so that a coarse
pixel stands in the middle of its block.

Response of the multispectral sensor: “sensor” takes a real one by its name, “table” reads a CSV
file (wavelengths in nm in the first column, then a column a band), “random” draws smooth curves by
the seed. Bands chooses some of them by name; empty takes the usual ones that the reference covers.

Signal-to-noise ratio in dB, of each band by itself; empty adds no noise.

Phase: “published” keeps pixel 0 of every block, as the benchmarks of the literature do. The
coarse pixels then stand half a coarse pixel from the blocks' middles, and are georeferenced there.

Data type, nodata, scale and wavelengths carry over. The sensors' response functions come from the
package pyrsr (Apache-2.0).
"""
