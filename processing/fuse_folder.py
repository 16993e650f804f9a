"""rasd:fusefolder: one model, applied to every pair of two folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingMultiStepFeedback,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import Cancelled, RasdError
from ..rasd_qgis.contract.request import FuseRequest
from ..rasd_qgis.engine_link.environment import require_engine
from ..rasd_qgis.engine_link.process import run_engine
from . import fuse_folder_parameters as names
from .base import NeedsEngine, Words, as_processing_error
from .responsive import ResponsiveFeedback
from .styles import ConfidenceRamp, Look, natural_colour, save_style
from .translation import mark, tr


class FuseFolderAlgorithm(NeedsEngine):
    """Fuse a folder of pairs."""

    form = names
    words = Words(
        id="fusefolder",
        title=mark("Fuse a folder of pairs"),
        tip=mark("Fuses all pairs of files of the same name by one model."),
        tags=mark("hyperspectral,multispectral,fusion,folder,batch,many,model,RASD-FuNet"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._requests: list[FuseRequest] = []

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Turn the folders into requests."""
        try:
            require_engine()
            self._requests = names.make_requests(self, parameters, context)
        except RasdError as error:
            raise as_processing_error(error) from error
        except OSError as error:
            raise QgsProcessingException(
                tr("The folder cannot be used ({}); choose another one.").format(error)
            ) from error
        return True

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Fuse one pair after another; one that fails is reported, and the next one follows."""
        steps = QgsProcessingMultiStepFeedback(len(self._requests), feedback)
        failed = 0
        for number, request in enumerate(self._requests):
            steps.setCurrentStep(number)
            name = request.hyperspectral.name
            feedback.pushInfo(tr("Pair {} of {}: {}").format(number + 1, len(self._requests), name))
            try:
                values = run_engine(request, ResponsiveFeedback(steps), require_engine())
                _save_looks(request, values)
            except Cancelled as error:
                raise as_processing_error(error) from error
            except (RasdError, OSError) as error:
                failed += 1
                feedback.reportError(f"{name}: {error}")
        if failed == len(self._requests):
            raise QgsProcessingException(tr("None of the pairs could be fused; the log says why."))
        folder = str(Path(self._requests[0].output).parent)
        fused = len(self._requests) - failed
        return {names.OUTPUT: folder, names.FUSED: fused, names.FAILED: failed}


def _save_looks(request: FuseRequest, values: Mapping[str, Any]) -> None:
    fused = natural_colour(QgsRasterLayer(request.output, "fused", "gdal"), values.get("RGB"))
    looks: list[tuple[str | None, Look]] = [
        (request.output, fused),
        (request.confidence, ConfidenceRamp()),
    ]
    for path, look in looks:
        if path:
            save_style(path, look)
