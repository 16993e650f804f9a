"""rasd:train: references, a benchmark or ready pairs in, a model for two sensors out."""

from __future__ import annotations

from ..rasd_qgis.contract.request import TrainRequest
from . import train_parameters as names
from .base import Words
from .engine_algorithm import EngineAlgorithm
from .translation import mark


class TrainAlgorithm(EngineAlgorithm[TrainRequest]):
    """Train a model, which is a file whose card says where it comes from."""

    form = names
    words = Words(
        id="train",
        title=mark("Train a fusion model"),
        tip=mark("Trains a model that fuses pairs of two sensors."),
        tags=mark(
            "hyperspectral,multispectral,fusion,training,deep learning,neural network,model,Wald,"
            "CAVE,ICVL,KAIST,benchmark,RASD-FuNet,torch"
        ),
        icon="train.svg",
    )
