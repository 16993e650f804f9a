"""rasd:fusefolder: a model that was trained once, applied to every pair of two folders."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingMultiStepFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import Cancelled, InputError, OutputError, RasdError
from ..rasd_qgis.contract.request import DEVICES, FuseRequest
from ..rasd_qgis.engine_link.environment import require_engine
from ..rasd_qgis.engine_link.process import run_engine
from .base import RasdAlgorithm, as_processing_error, one_line_paragraphs
from .layers import raster_source
from .responsive import ResponsiveFeedback
from .styles import ConfidenceRamp, Look, natural_colour, save_style
from .translation import tr
from .values import advanced, provenance

FOLDER_HS, FOLDER_MS, MODEL_FILE = "FOLDER_HS", "FOLDER_MS", "MODEL_FILE"
ROUTING_RATIO, DEVICE, OUTPUT = "ROUTING_RATIO", "DEVICE", "OUTPUT"
FUSED, FAILED = "FUSED", "FAILED"
# Endings of files that are rasters; what lies beside them (.hdr, .aux.xml, .qml) is not.
RASTERS = (".tif", ".tiff", ".img", ".dat", ".bsq", ".bil", ".bip", ".vrt", ".jp2", ".nc", ".h5")


class FuseFolderAlgorithm(RasdAlgorithm):
    """Fuse a folder of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self._requests: list[FuseRequest] = []

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "fusefolder"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Fuse a folder of pairs by a trained model")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        return tr("hyperspectral,multispectral,fusion,folder,batch,many,model,RASD-FuNet").split(
            ","
        )

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Applies one trained model to all pairs of files of the same name.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        folder = QgsProcessingParameterFile.Behavior.Folder
        number = QgsProcessingParameterNumber
        device = QgsProcessingParameterEnum(
            DEVICE, tr("Device"), list(DEVICES), defaultValue=DEVICES[0], usesStaticStrings=True
        )
        for parameter in (
            QgsProcessingParameterFile(FOLDER_HS, tr("Folder of hyperspectral files"), folder),
            QgsProcessingParameterFile(FOLDER_MS, tr("Folder of multispectral files"), folder),
            QgsProcessingParameterFile(
                MODEL_FILE, tr("Model file"), fileFilter="Safetensors (*.safetensors)"
            ),
            number(
                ROUTING_RATIO,
                tr("Share of points routed to the low-rank branch"),
                number.Type.Double,
                0.5,
                minValue=0.0,
                maxValue=1.0,
            ),
            QgsProcessingParameterFolderDestination(OUTPUT, tr("Folder of fused files")),
            advanced(device),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber(FUSED, tr("Pairs that were fused")))
        self.addOutput(QgsProcessingOutputNumber(FAILED, tr("Pairs that could not be fused")))

    def canExecute(self) -> tuple[bool, str]:
        """False, with what to do, where the engine is not set up."""
        try:
            require_engine()
        except RasdError as error:
            return False, str(error)
        return True, ""

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Turn the folders into requests."""
        try:
            require_engine()
            output = Path(self.parameterAsString(parameters, OUTPUT, context))
            pairs = matching_pairs(
                Path(self.parameterAsString(parameters, FOLDER_HS, context)),
                Path(self.parameterAsString(parameters, FOLDER_MS, context)),
            )
            refuse_input_folder(output, pairs)
            output.mkdir(parents=True, exist_ok=True)
            settings = {
                "model": "file",
                "model_file": self.parameterAsFile(parameters, MODEL_FILE, context),
                "routing_ratio": self.parameterAsDouble(parameters, ROUTING_RATIO, context),
                "device": self.parameterAsEnumString(parameters, DEVICE, context),
            }
            self._requests = [_request(*pair, output, settings) for pair in pairs]
        except RasdError as error:
            raise as_processing_error(error) from error
        except OSError as error:
            raise QgsProcessingException(f"The folder cannot be used: {error}.") from error
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
        return {OUTPUT: folder, FUSED: len(self._requests) - failed, FAILED: failed}


def matching_pairs(coarse: Path, fine: Path) -> list[tuple[Path, Path]]:
    """Rasters of both folders that bear the same name, whatever their endings.

    InputError where there are none, or where a name stands for several rasters of a folder.
    """
    first, second = _rasters(coarse), _rasters(fine)
    pairs = [(first[name], second[name]) for name in sorted(first.keys() & second.keys())]
    if not pairs:
        raise InputError(
            f"No raster in {coarse} bears the same name as one in {fine}.",
            "Name the two files of a pair alike, as in hs/field1.tif and ms/field1.tif.",
        )
    return pairs


def refuse_input_folder(output: Path, pairs: list[tuple[Path, Path]]) -> None:
    """OutputError where a result would be written over an input."""
    if output.resolve() in {path.resolve().parent for pair in pairs for path in pair}:
        raise OutputError(
            f"The folder {output} holds inputs, which are never overwritten.",
            "Choose another folder for the fused files.",
        )


def _rasters(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() not in RASTERS or path.name.startswith("."):
            continue
        if path.stem in found:
            raise InputError(
                f"Two rasters in {folder} are called {path.stem}.", "Keep one of them there."
            )
        found[path.stem] = path
    return found


def _request(coarse: Path, fine: Path, output: Path, settings: Mapping[str, Any]) -> FuseRequest:
    layers = [QgsRasterLayer(str(path), path.stem, "gdal") for path in (coarse, fine)]
    for layer, path in zip(layers, (coarse, fine)):
        if not layer.isValid():
            raise InputError(f"{path} cannot be opened as a raster.", "Take it out of the folder.")
    return FuseRequest(
        run_id=secrets.token_hex(8),
        hyperspectral=raster_source(layers[0]),
        multispectral=raster_source(layers[1]),
        output=str(output / f"{coarse.stem}_fused.tif"),
        confidence=str(output / f"{coarse.stem}_confidence.tif"),
        provenance=provenance("rasd:fusefolder"),
        **settings,
    )


def _save_looks(request: FuseRequest, values: Mapping[str, Any]) -> None:
    fused = natural_colour(QgsRasterLayer(request.output, "fused", "gdal"), values.get("RGB"))
    looks: list[tuple[str | None, Look]] = [
        (request.output, fused),
        (request.confidence, ConfidenceRamp()),
    ]
    for path, look in looks:
        if path:
            save_style(path, look)


_HELP = """Fuses every pair of two folders by one trained model: a hyperspectral file and a
multispectral one make a pair where they bear the same name, whatever their endings.

The model comes from “Train”, or from the output “Trained model” of “Fuse”. For each pair a fused
raster and its confidence are written to the folder, each with its style.

A pair that cannot be fused is reported, and the next one follows.
"""
