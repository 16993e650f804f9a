"""rasd:setupengine: makes, repairs or renews the engine, outside QGIS's own Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from ..rasd_qgis.contract.errors import RasdError
from ..rasd_qgis.engine_link.environment import engine_home
from ..rasd_qgis.engine_link.set_up import self_test, set_up
from . import setup_engine_parameters as names
from .base import RasdAlgorithm, Words, as_processing_error
from .responsive import ResponsiveFeedback
from .translation import mark, tr


class SetupEngineAlgorithm(RasdAlgorithm):
    """Set up the engine."""

    form = names
    words = Words(
        id="setupengine",
        title=mark("Set up the engine"),
        tip=mark("Makes or repairs the engine that computes the fusion."),
        tags=mark("install,repair,torch,pytorch,environment,venv,dependencies"),
        icon="engine.svg",
    )

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Install, then ask the engine what it is, which shows that it starts."""
        home = engine_home()
        responsive = ResponsiveFeedback(feedback)
        wheels = self.parameterAsString(parameters, names.WHEELS, context)

        def on_progress(fraction: float, text: str) -> None:
            feedback.setProgress(90.0 * fraction)
            feedback.pushConsoleInfo(text)

        feedback.pushInfo(tr("The engine's place: {}").format(home))
        try:
            python = set_up(
                home,
                on_progress,
                responsive.isCanceled,
                Path(wheels) if wheels else None,
                self.parameterAsBool(parameters, names.ANEW, context),
            )
            found = self_test(python, responsive)
        except RasdError as error:
            raise as_processing_error(error) from error
        feedback.setProgress(100.0)
        versions = json.dumps(found["PROBE"], sort_keys=True)
        devices = json.dumps(found["DEVICES"], sort_keys=True)
        feedback.pushInfo(f"{versions}\n{devices}")
        return {names.ENGINE: str(home), names.VERSIONS: versions, names.SELF_TEST: devices}
