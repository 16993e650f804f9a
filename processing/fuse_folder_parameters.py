"""The parameters of rasd:fusefolder: what they are, and the requests that they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsRasterLayer,
)

from ..rasd_qgis.contract.errors import InputError, OutputError
from ..rasd_qgis.contract.request import FuseRequest
from . import fields
from .fields import DEVICE, MODEL_FILE, ROUTING_RATIO
from .layers import raster_source
from .translation import tr
from .values import run_of

FOLDER_HS, FOLDER_MS, OUTPUT = "FOLDER_HS", "FOLDER_MS", "OUTPUT"
FUSED, FAILED = "FUSED", "FAILED"
# Endings of files that are rasters; what lies beside them (.hdr, .aux.xml, .qml) is not.
RASTERS = (".tif", ".tiff", ".img", ".dat", ".bsq", ".bil", ".bip", ".vrt", ".jp2", ".nc", ".h5")


def parameters() -> list[QgsProcessingParameterDefinition]:
    """The parameters in the order the dialog shows them, the advanced one last."""
    folder = QgsProcessingParameterFile.Behavior.Folder
    return [
        QgsProcessingParameterFile(FOLDER_HS, tr("Folder of hyperspectral files"), folder),
        QgsProcessingParameterFile(FOLDER_MS, tr("Folder of multispectral files"), folder),
        fields.model_file(),
        fields.routing_ratio(),
        QgsProcessingParameterFolderDestination(OUTPUT, tr("Folder of fused files")),
        fields.advanced(fields.device()),
    ]


def outputs() -> list[QgsProcessingOutputDefinition]:
    """How many went well."""
    return [
        QgsProcessingOutputNumber(FUSED, tr("Pairs that were fused")),
        QgsProcessingOutputNumber(FAILED, tr("Pairs that could not be fused")),
    ]


def make_requests(
    algorithm: QgsProcessingAlgorithm, values: dict[str, Any], context: QgsProcessingContext
) -> list[FuseRequest]:
    """A request for each pair; the folder of the results is made.

    RasdError where there are no pairs or the folder holds inputs, OSError where it cannot be made.
    """
    output = Path(algorithm.parameterAsString(values, OUTPUT, context))
    pairs = matching_pairs(
        Path(algorithm.parameterAsString(values, FOLDER_HS, context)),
        Path(algorithm.parameterAsString(values, FOLDER_MS, context)),
    )
    refuse_input_folder(output, pairs)
    output.mkdir(parents=True, exist_ok=True)
    model_file = algorithm.parameterAsFile(values, MODEL_FILE, context) or None
    settings = {
        "model": "file" if model_file else "bundled",
        "model_file": model_file,
        "routing_ratio": algorithm.parameterAsDouble(values, ROUTING_RATIO, context),
        "device": algorithm.parameterAsEnumString(values, DEVICE, context),
    }
    return [_request(*pair, output, settings) for pair in pairs]


def matching_pairs(coarse: Path, fine: Path) -> list[tuple[Path, Path]]:
    """Rasters of both folders that bear the same name, whatever their endings.

    InputError where there are none, or where a name stands for several rasters of a folder.
    """
    first, second = _rasters(coarse), _rasters(fine)
    pairs = [(first[name], second[name]) for name in sorted(first.keys() & second.keys())]
    if not pairs:
        raise InputError(
            tr("No raster in {} bears the same name as one in {}.").format(coarse, fine),
            tr("Name the two files of a pair alike, as in hs/field1.tif and ms/field1.tif."),
        )
    return pairs


def refuse_input_folder(output: Path, pairs: list[tuple[Path, Path]]) -> None:
    """OutputError where a result would be written over an input."""
    if output.resolve() in {path.resolve().parent for pair in pairs for path in pair}:
        raise OutputError(
            tr("The folder {} holds inputs, which are never overwritten.").format(output),
            tr("Choose another folder for the fused files."),
        )


def _rasters(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() not in RASTERS or path.name.startswith("."):
            continue
        if path.stem in found:
            raise InputError(
                tr("Two rasters in {} are called {}.").format(folder, path.stem),
                tr("Keep one of them there."),
            )
        found[path.stem] = path
    return found


def _request(coarse: Path, fine: Path, output: Path, settings: Mapping[str, Any]) -> FuseRequest:
    layers = [QgsRasterLayer(str(path), path.stem, "gdal") for path in (coarse, fine)]
    for layer, path in zip(layers, (coarse, fine)):
        if not layer.isValid():
            sentence = tr("{} cannot be opened as a raster.").format(path)
            raise InputError(sentence, tr("Take it out of the folder."))
    return FuseRequest(
        hyperspectral=raster_source(layers[0]),
        multispectral=raster_source(layers[1]),
        output=str(output / f"{coarse.stem}_fused.tif"),
        confidence=str(output / f"{coarse.stem}_confidence.tif"),
        **run_of("rasd:fusefolder"),
        **settings,
    )
