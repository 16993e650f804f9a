"""rasd:fuse: a hyperspectral and a multispectral layer in, a fused raster and confidence out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rasd_qgis.contract.request import FuseRequest
from . import fuse_parameters as names
from .base import Words
from .engine_algorithm import EngineAlgorithm, Raster, always, errors, natural
from .styles import ConfidenceRamp
from .translation import mark, tr


class FuseAlgorithm(EngineAlgorithm[FuseRequest]):
    """Fuse hyperspectral and multispectral."""

    form = names
    words = Words(
        id="fuse",
        title=mark("Fuse hyperspectral and multispectral"),
        tip=mark("Gives a hyperspectral raster the resolution of a multispectral one."),
        tags=mark(
            "hyperspectral,multispectral,fusion,fuse,pansharpening,hypersharpening,"
            "super-resolution,sharpen,deep learning,RASD-FuNet,torch"
        ),
    )

    def rasters(self, request: FuseRequest, title: str) -> list[Raster]:
        """Fused, and its confidence and uncertainty where they are asked for."""
        fused, confidence = tr("{} fused").format(title), tr("{} confidence").format(title)
        uncertainty = tr("{} uncertainty").format(title)
        return [
            Raster(names.OUTPUT, request.output, fused, natural("RGB"), on_top=True),
            Raster(names.CONFIDENCE, request.confidence, confidence, always(ConfidenceRamp())),
            Raster(names.UNCERTAINTY, request.uncertainty, uncertainty, errors),
        ]

    def origin(self, request: FuseRequest, values: Mapping[str, Any]) -> str:
        """The pair, the model and its settings."""
        mode = " at least, by content" if request.routing_mode == "auto" else ""
        return (
            f"{request.hyperspectral.path} with {request.multispectral.path}; "
            f"model {values.get('MODEL_HASH', 'unknown')}, {values.get('TRAINING_STEPS', 0)} "
            f"training steps, seed {request.seed}, routing ratio {values.get('ROUTING_RATIO')}"
            f"{mode}, "
            f"device {values.get('DEVICE', 'unknown')}"
        )
