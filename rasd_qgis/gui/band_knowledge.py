"""What is known of the bands of layers: asked of the engine once a file, and kept.

QGIS itself does not tell wavelengths and bad bands; the engine reads them in every convention.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...processing.layers import local_files, raster_source, source_path
from ...processing.translation import tr
from ..contract.errors import RasdError
from ..contract.inspect_request import DescribeRequest
from ..contract.source import RasterSource
from ..engine_link.environment import require_engine
from .background import Background, ask_engine
from .spectra import Bands

# By a file's path and time: the engine's description of it.
_known: dict[tuple[str, float], Mapping[str, Any]] = {}


class BandKnowledge(QObject):
    """Tells what is known of layers; `learned` after the engine has told more.

    failed: carries the sentence where the engine cannot tell.
    """

    learned = pyqtSignal()
    failed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: Background | None = None

    def bands(self, layer: QgsRasterLayer) -> Bands:
        """What is known now; no wavelengths and only good bands before the engine has told."""
        described = _known.get(_key(layer))
        count = layer.bandCount()
        if described is None or described["bands"] > count:
            return Bands((None,) * count, (True,) * count)
        missing = count - described["bands"]  # an alpha band, which is no measurement
        good = [g and not d for g, d in zip(described["good"], described["dead"])]
        return Bands((*described["wavelengths"], *(None,) * missing), (*good, *(False,) * missing))

    def ask(self, layers: Iterable[QgsRasterLayer]) -> None:
        """Ask the engine about the layers that are not known yet."""
        unknown = [layer for layer in layers if _key(layer) not in _known]
        sources = [source for source in map(_source, unknown) if source]
        keys = [_key(layer) for layer in unknown if _source(layer)]
        if not sources:
            return
        try:
            python = require_engine()
        except RasdError as error:
            self.failed.emit(
                tr(
                    "Spectra are shown by band number: wavelengths are the engine's to tell. {}"
                ).format(error)
            )
            return
        self.cancel()
        request = DescribeRequest(tuple(sources))
        self._task = ask_engine(
            tr("Reading wavelengths"), request, python, lambda outcome: self._hear(keys, outcome)
        )

    def cancel(self) -> None:
        """Hear no answer to what was asked."""
        task, self._task = self._task, None
        if task is not None:
            task.stop()

    def _hear(self, keys: list[tuple[str, float]], outcome: Any) -> None:
        self._task = None
        if isinstance(outcome, RasdError):
            self.failed.emit(str(outcome))
            return
        _known.update(zip(keys, outcome["RASTERS"]))
        self.learned.emit()


def _source(layer: QgsRasterLayer) -> RasterSource | None:
    """What the engine opens; None for a web service, which has no spectra to show."""
    try:
        return raster_source(layer)
    except RasdError:
        return None


def _key(layer: QgsRasterLayer) -> tuple[str, float]:
    path = source_path(layer)
    files = local_files(path)
    return path, os.path.getmtime(files[0]) if files else 0.0
