"""rasd:train: references, a benchmark or ready pairs in, a model for two sensors out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext

from ..rasd_qgis.contract.request import TrainRequest
from . import train_parameters as names
from .base import one_line_paragraphs
from .engine_algorithm import EngineAlgorithm, Raster
from .translation import tr


class TrainAlgorithm(EngineAlgorithm[TrainRequest]):
    """Train a model."""

    icon_name = "train.svg"

    def name(self) -> str:
        """The id, which never changes and is never translated."""
        return "train"

    def displayName(self) -> str:
        """The name in the toolbox."""
        return tr("Train a fusion model")

    def tags(self) -> list[str]:
        """Words that find it in the toolbox."""
        words = tr(
            "hyperspectral,multispectral,fusion,training,deep learning,neural network,model,Wald,"
            "CAVE,ICVL,KAIST,benchmark,RASD-FuNet,torch"
        )
        return words.split(",")

    def shortDescription(self) -> str:
        """The tool tip."""
        return tr("Trains a model that fuses pairs of two sensors.")

    def shortHelpString(self) -> str:
        """The help beside the dialog."""
        return tr(one_line_paragraphs(_HELP))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        for parameter in names.parameters():
            self.addParameter(parameter)
        for output in names.other_outputs():
            self.addOutput(output)

    def check_values(self, values: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """The values as QGIS's own checks understand them."""
        return names.check(self, values, context)

    def make_request(self, values: dict[str, Any], context: QgsProcessingContext) -> TrainRequest:
        """The request that these values make."""
        return names.train_request(self, values, context)

    def results(self, request: TrainRequest, values: Mapping[str, Any]) -> dict[str, Any]:
        """Paths and figures by output name."""
        model = Path(request.model_output)
        return {
            names.MODEL_OUTPUT: request.model_output,
            names.LOSS_TABLE: str(model.with_name(model.stem + ".loss.csv")),
            names.LOSS_CURVE: str(model.with_name(model.stem + ".loss.png")),
            **{name: values.get(word) for name, (_, word) in names.NUMBERS.items()},
        }

    def rasters(self, request: TrainRequest) -> list[Raster]:
        """None: a model is a file."""
        return []

    def title(self, request: TrainRequest) -> str:
        """The model's name."""
        return Path(request.model_output).stem

    def history(self, request: TrainRequest, values: Mapping[str, Any]) -> str:
        """Nothing: the model's card says where it comes from."""
        return ""


_HELP = """Trains the network RASD-FuNet for a pair of sensors. “Fuse” then uses the model for
every pair with these bands and this ratio of pixel sizes (model “file”).

What to train on is one of three. References: hyperspectral layers of high resolution; each is
degraded to a hyperspectral–multispectral pair, as by “Simulate”, whose fusion is then known. A
benchmark's folder: CAVE (a folder a scene with 31 PNG files), ICVL or KAIST (a MATLAB or HDF5 file
a scene), each scene being a reference. Ready pairs: as many hyperspectral as multispectral layers,
in the same order; with references in that order too these are the truth, without any the pairs are
reduced by their own ratio.

Ratio, blur, phase and response are those of “Simulate”. Of ready pairs the ratio is their own.

Settings of training: “laptop” finishes on two cores in 20 minutes, unless another time is given.
“paper-cave”, “paper-icvl” and “paper-kaist” are those of the article: L1, Adam at 0.0004 with
cosine annealing, batches of 16 patches of 64 × 64 at a stride of 32, all bands, starting from cubic
interpolation; 1000, 120 or 300 epochs; ratio 8, a Gaussian of 3 pixels in a kernel of 8. They take
days without a GPU.

Beside the model stand its loss curve as a table and a picture, renewed while it trains, and until
it is done a checkpoint. Cancel at any time: run it again with the same inputs and settings, and it
goes on from there. A tenth of the pixels is kept out of training; the weights that predict these
best are the model.
"""
