"""Fields: parameters that several algorithms ask for, each declared once."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..rasd_qgis.contract.request import DEVICES, LEAST_TILE, ROUTING_MODES
from ..rasd_qgis.contract.simulate_request import GREATEST_SIGMA
from .translation import tr
from .values import Numbers

INPUT_HS, INPUT_MS, MODEL_FILE = "INPUT_HS", "INPUT_MS", "MODEL_FILE"
ROUTING_RATIO, PSF_SIGMA, KERNEL_SIZE = "ROUTING_RATIO", "PSF_SIGMA", "KERNEL_SIZE"
ROUTING_MODE = "ROUTING_MODE"
DEVICE, TILE_SIZE, SEED = "DEVICE", "TILE_SIZE", "SEED"
SAFETENSORS = "Safetensors (*.safetensors)"

REAL = QgsProcessingParameterNumber.Type.Double
WHOLE = QgsProcessingParameterNumber.Type.Integer


def advanced(parameter: QgsProcessingParameterDefinition) -> QgsProcessingParameterDefinition:
    """The parameter, moved among the advanced ones."""
    flag = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    parameter.setFlags(parameter.flags() | flag)
    return parameter


def choice(name: str, text: str, words: Sequence[str]) -> QgsProcessingParameterDefinition:
    """One of `words`, the first one if nothing is chosen. They are values, so not translated."""
    return QgsProcessingParameterEnum(
        name, text, list(words), defaultValue=words[0], usesStaticStrings=True
    )


def pair() -> list[QgsProcessingParameterDefinition]:
    """The two layers to fuse."""
    return [
        QgsProcessingParameterRasterLayer(INPUT_HS, tr("Hyperspectral layer (coarse)")),
        QgsProcessingParameterRasterLayer(INPUT_MS, tr("Multispectral layer (fine)")),
    ]


def model_file() -> QgsProcessingParameterDefinition:
    """A model that was trained before; without one, that which ships."""
    return QgsProcessingParameterFile(
        MODEL_FILE,
        tr("Model file (empty: the one that comes with the plugin)"),
        optional=True,
        fileFilter=SAFETENSORS,
    )


def routing_ratio() -> QgsProcessingParameterDefinition:
    """The paper's r, from 0 to 1."""
    return QgsProcessingParameterNumber(
        ROUTING_RATIO,
        tr("Share of points routed to the low-rank branch"),
        REAL,
        0.5,
        minValue=0.0,
        maxValue=1.0,
    )


def routing_mode() -> QgsProcessingParameterDefinition:
    """Whether the routing ratio is the share of points, or the least one."""
    return choice(ROUTING_MODE, tr("Routing: share as stated, or by content"), ROUTING_MODES)


def psf_sigma() -> QgsProcessingParameterDefinition:
    """The blur of the hyperspectral sensor; empty for what the algorithm's help says."""
    return QgsProcessingParameterNumber(
        PSF_SIGMA,
        tr("Standard deviation of the sensor's blur (coarse pixels, empty: automatic)"),
        REAL,
        optional=True,
        minValue=0.0,
        maxValue=GREATEST_SIGMA,
    )


def kernel_size() -> QgsProcessingParameterDefinition:
    """How far the blur reaches; empty for the usual reach."""
    text = tr("Side of the blur's kernel (pixels)")
    return QgsProcessingParameterNumber(KERNEL_SIZE, text, WHOLE, optional=True, minValue=1)


def device() -> QgsProcessingParameterDefinition:
    """What the engine computes on."""
    return choice(DEVICE, tr("Device"), DEVICES)


def tile_size() -> QgsProcessingParameterDefinition:
    """The side of a tile."""
    text = tr("Tile size (fine pixels)")
    return QgsProcessingParameterNumber(TILE_SIZE, text, WHOLE, 512, minValue=LEAST_TILE)


def seed() -> QgsProcessingParameterDefinition:
    """What random numbers begin with."""
    return QgsProcessingParameterNumber(SEED, tr("Random seed"), WHOLE, 0, minValue=0)


def optional_raster(name: str, text: str) -> QgsProcessingParameterDefinition:
    """A raster output that is made unless it is left out."""
    return QgsProcessingParameterRasterDestination(name, text, optional=True, createByDefault=True)


def number_outputs(numbers: Numbers) -> list[QgsProcessingOutputNumber]:
    """The figures of a run, for models to use."""
    return [QgsProcessingOutputNumber(name, tr(text)) for name, (text, _) in numbers.items()]
