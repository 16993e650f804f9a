"""rasd:setupengine: makes, repairs or renews the engine, outside QGIS's own Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFile,
)

from ..rasd_qgis.contract.errors import RasdError
from ..rasd_qgis.engine_link.environment import engine_home
from ..rasd_qgis.engine_link.set_up import self_test, set_up
from .base import RasdAlgorithm, as_processing_error, one_line_paragraphs
from .responsive import ResponsiveFeedback
from .translation import tr

WHEELS, ANEW = "WHEELS", "ANEW"
ENGINE, VERSIONS, SELF_TEST = "ENGINE", "VERSIONS", "SELF_TEST"


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
        """The place is no parameter: the user's data folder, or RASD_FUSION_ENGINE."""
        self.addParameter(
            QgsProcessingParameterFile(
                WHEELS,
                tr("Folder of wheels, to set up without a network"),
                QgsProcessingParameterFile.Behavior.Folder,
                optional=True,
            )
        )
        again = tr("Make it again though it looks complete")
        self.addParameter(QgsProcessingParameterBoolean(ANEW, again, False))
        self.addOutput(QgsProcessingOutputString(ENGINE, tr("Folder of the engine")))
        self.addOutput(QgsProcessingOutputString(VERSIONS, tr("Versions and devices")))
        self.addOutput(QgsProcessingOutputString(SELF_TEST, tr("Self-test of each device")))

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Install, then ask the engine what it is, which shows that it starts."""
        home = engine_home()
        responsive = ResponsiveFeedback(feedback)
        wheels = self.parameterAsString(parameters, WHEELS, context)

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
                self.parameterAsBool(parameters, ANEW, context),
            )
            found = self_test(python, responsive)
        except RasdError as error:
            raise as_processing_error(error) from error
        feedback.setProgress(100.0)
        versions = json.dumps(found["PROBE"], sort_keys=True)
        devices = json.dumps(found["DEVICES"], sort_keys=True)
        feedback.pushInfo(f"{versions}\n{devices}")
        return {ENGINE: str(home), VERSIONS: versions, SELF_TEST: devices}


_HELP = """Makes the engine that computes the fusion: a Python environment of its own, with
PyTorch, in your data folder. QGIS's own Python is left as it is. It takes about 2 GB of
disk and needs the network once; QGIS's proxy and certificates, pip's settings and HTTPS_PROXY are
honoured.

Run it again to repair a broken engine, or after the plugin was upgraded; it is quick
where nothing is to be done. At its end it fuses a tiny pair on each device. Without a
network it takes a folder of wheels, as “pip download” leaves one. The variable
RASD_FUSION_ENGINE chooses another place, or an existing environment.
"""
