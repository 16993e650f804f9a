"""Routes: a confidence layer cut by a threshold into the two branches of the network.

A point goes through the low-rank branch where the network's confidence is high; the run's routing
ratio is the share of such points. Moving the threshold shows which ground would go where.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from qgis.core import (
    Qgis,
    QgsColorRampShader,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from ...processing.translation import tr

# Low-rank and attention, told apart by colour-blind eyes and in grey as well.
LOW_RANK, ATTENTION = "#f0c808", "#1f4e8c"
FIRST_BAND = "confidence, mean of all stages"
SAMPLE_SIDE = 256  # the samples that shares are counted on, a side


@dataclass
class Routes:
    """The shares of a confidence layer's bands; samples are read once a band and kept."""

    layer: QgsRasterLayer
    _samples: dict[int, np.ndarray] = field(default_factory=dict)

    def bands(self) -> list[str]:
        """What each band shows, the first the mean over all stages."""
        count = self.layer.bandCount()
        names = (self.layer.bandName(band) for band in range(1, count + 1))
        return [name.split(": ", 1)[-1] for name in names]

    def low_rank_share(self, band: int, threshold: float) -> float:
        """The share of valid points whose confidence in `band` (1-based) is `threshold` or more."""
        values = self._values(band)
        return float(np.mean(values >= threshold)) if values.size else 0.0

    def threshold_for(self, band: int, share: float) -> float:
        """The threshold at which that share is low-rank, 0…1."""
        values = self._values(band)
        if not values.size:
            return 0.5
        return float(np.clip(np.quantile(values, 1.0 - share), 0.0, 1.0))

    def _values(self, band: int) -> np.ndarray:
        """Valid samples of a band, in rising order."""
        if band not in self._samples:
            self._samples[band] = _sample(self.layer, band)
        return self._samples[band]


def is_confidence(layer: object) -> bool:
    """Whether a layer is one of the confidence rasters of rasd:fuse."""
    return (
        isinstance(layer, QgsRasterLayer)
        and layer.isValid()
        and layer.bandName(1).endswith(FIRST_BAND)
    )


def show_routes(layer: QgsRasterLayer, band: int, threshold: float) -> None:
    """Colour a layer by branch: below the threshold attention, from it on low-rank."""
    items = [
        QgsColorRampShader.ColorRampItem(
            float(np.nextafter(threshold, -1.0)), QColor(ATTENTION), tr("attention")
        ),
        QgsColorRampShader.ColorRampItem(float("inf"), QColor(LOW_RANK), tr("low-rank")),
    ]
    function = QgsColorRampShader(0.0, 1.0, None, QgsColorRampShader.Type.Discrete)
    function.setColorRampItemList(items)
    shader = QgsRasterShader(0.0, 1.0)
    shader.setRasterShaderFunction(function)
    layer.setRenderer(QgsSingleBandPseudoColorRenderer(layer.dataProvider(), band, shader))
    layer.triggerRepaint()


def _sample(layer: QgsRasterLayer, band: int) -> np.ndarray:
    columns, rows = min(layer.width(), SAMPLE_SIDE), min(layer.height(), SAMPLE_SIDE)
    block = layer.dataProvider().block(band, layer.extent(), columns, rows)
    block.convert(Qgis.DataType.Float64)
    values = np.frombuffer(bytes(block.data()), np.float64)
    if block.hasNoDataValue():
        values = values[values != block.noDataValue()]
    return np.sort(values[np.isfinite(values)])
