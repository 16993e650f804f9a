"""rasd:simulate: one reference layer in, the pair that two sensors would have seen of it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rasd_qgis.contract.request import SimulateRequest
from . import simulate_parameters as names
from .base import Words
from .engine_algorithm import EngineAlgorithm, Raster, natural
from .translation import mark, tr


class SimulateAlgorithm(EngineAlgorithm[SimulateRequest]):
    """Simulate a hyperspectral–multispectral pair."""

    form = names
    words = Words(
        id="simulate",
        title=mark("Simulate a hyperspectral–multispectral pair"),
        tip=mark("Degrades a reference into a pair whose fusion is known."),
        tags=mark(
            "hyperspectral,multispectral,simulation,degrade,Wald,PSF,MTF,blur,decimate,"
            "spectral response,Sentinel-2,Landsat,noise,SNR,reference,benchmark"
        ),
        icon="simulate.svg",
    )

    def rasters(self, request: SimulateRequest, title: str) -> list[Raster]:
        """The two of the pair."""
        coarse, guide = tr("{} hyperspectral").format(title), tr("{} multispectral").format(title)
        look, guide_look = natural("RGB_COARSE"), natural("RGB_GUIDE")
        return [
            Raster(names.OUTPUT_HS, request.coarse_output, coarse, look),
            Raster(names.OUTPUT_MS, request.guide_output, guide, guide_look, on_top=True),
        ]

    def origin(self, request: SimulateRequest, values: Mapping[str, Any]) -> str:
        """The reference and what was done to it."""
        return (
            f"{request.reference.path} at ratio {request.ratio:g}, PSF of "
            f"{values.get('PSF_SIGMA')} coarse pixels, phase {request.phase}, guide bands "
            f"{', '.join(values.get('GUIDE_BAND_NAMES', ()))}, noise "
            f"{request.snr_coarse} and {request.snr_guide} dB, seed {request.seed}"
        )
