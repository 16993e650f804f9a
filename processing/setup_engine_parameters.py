"""The parameters of rasd:setupengine. The engine's place is none of them: it is the user's data
folder, or RASD_FUSION_ENGINE.
"""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputDefinition,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
)

from .translation import tr

WHEELS, ANEW = "WHEELS", "ANEW"
ENGINE, VERSIONS, SELF_TEST = "ENGINE", "VERSIONS", "SELF_TEST"


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them."""
    return [
        QgsProcessingParameterFile(
            WHEELS,
            tr("Folder of wheels, to set up without a network"),
            QgsProcessingParameterFile.Behavior.Folder,
            optional=True,
        ),
        QgsProcessingParameterBoolean(ANEW, tr("Make it again though it looks complete"), False),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """Where and what the engine is."""
    return [
        QgsProcessingOutputString(ENGINE, tr("Folder of the engine")),
        QgsProcessingOutputString(VERSIONS, tr("Versions and devices")),
        QgsProcessingOutputString(SELF_TEST, tr("Self-test of each device")),
    ]
