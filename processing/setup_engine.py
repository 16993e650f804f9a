"""rasd:setupengine: makes, repairs or renews the engine, outside QGIS's own Python."""

from __future__ import annotations

import json
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
)

from ..rasd_qgis.contract.errors import RasdError
from ..rasd_qgis.contract.request import ProbeRequest
from ..rasd_qgis.engine_link.environment import engine_home
from ..rasd_qgis.engine_link.install import install
from ..rasd_qgis.engine_link.process import run_engine
from .base import RasdAlgorithm, as_processing_error, one_line_paragraphs
from .responsive import ResponsiveFeedback
from .translation import tr

ENGINE, VERSIONS = "ENGINE", "VERSIONS"


class SetupEngineAlgorithm(RasdAlgorithm):
    """Set up the engine."""

    icon_name = "engine.svg"

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "setupengine"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Set up the engine")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        return tr("install,repair,torch,pytorch,environment,venv,dependencies").split(",")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """No parameters: the place is the user's data folder, or RASD_FUSION_ENGINE."""
        self.addOutput(QgsProcessingOutputString(ENGINE, tr("Folder of the engine")))
        self.addOutput(QgsProcessingOutputString(VERSIONS, tr("Versions and devices")))

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Install, then ask the engine what it is, which shows that it starts."""
        home = engine_home()
        responsive = ResponsiveFeedback(feedback)

        def on_progress(fraction: float, text: str) -> None:
            feedback.setProgress(95.0 * fraction)
            feedback.pushConsoleInfo(text)

        feedback.pushInfo(tr("The engine's place: {}").format(home))
        try:
            python = install(home, on_progress, responsive.isCanceled)
            versions = run_engine(ProbeRequest(), responsive, python)
        except RasdError as error:
            raise as_processing_error(error) from error
        feedback.setProgress(100.0)
        text = json.dumps(versions, sort_keys=True)
        feedback.pushInfo(text)
        return {ENGINE: str(home), VERSIONS: text}


_HELP = """Makes the engine that computes the fusion: a Python environment of its own, with
PyTorch, in your data folder. QGIS's own Python is left as it is. It takes about 2 GB of
disk and needs the network once; pip's settings and HTTPS_PROXY are honoured.

Run it again to repair a broken engine, or after the plugin was upgraded; it is quick
where nothing is to be done. The variable RASD_FUSION_ENGINE chooses another place, or
an existing environment.
"""
