"""Outputs: what stands in the way of writing them, and who shows them already.

An output must not be an input or another output. One that is open as a layer of the project is
replaced and the layer shows the new pixels; on Windows an open file cannot be replaced, so there
the run is refused before it starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..rasd_qgis.contract.errors import OutputError
from ..rasd_qgis.contract.request import RasterSource, Request
from .layers import local_files, source_path
from .translation import tr

# Fields of requests that are files which are read besides the rasters.
OTHER_INPUTS = ("model_file", "table")


def check_outputs(request: Request) -> None:
    """OutputError where an output is one of the inputs, or two outputs are one file."""
    sources = [getattr(request, name) for name in request.sources]
    for name in getattr(request, "source_lists", ()):
        sources.extend(getattr(request, name))
    paths = [source.path for source in sources if isinstance(source, RasterSource)]
    paths += [getattr(request, name, None) or "" for name in OTHER_INPUTS]
    inputs = [file for path in paths for file in local_files(path)]
    taken: list[str] = []
    for output in filter(None, (getattr(request, name) for name in request.outputs)):
        if any(same_file(output, path) for path in inputs):
            raise OutputError(
                tr("The output {} is one of the inputs, which are never overwritten.").format(
                    output
                ),
                tr("Choose another file name."),
            )
        if any(same_file(output, path) for path in taken):
            raise OutputError(
                tr("Two outputs would be written to {}.").format(output),
                tr("Choose a file name for each."),
            )
        taken.append(output)


def check_suffix(path: str | None, suffix: str, what: str) -> None:
    """OutputError where a path is given that does not end so. what: such as tr("A model")."""
    if path and Path(path).suffix.lower() != suffix:
        raise OutputError(
            tr("{} is written as {}, not as {}.").format(what, suffix, path),
            tr("Choose a file name that ends in {}.").format(suffix),
        )


def stated_path(value: Any) -> str:
    """The path that an output's value states; "" for none, and for a temporary one."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    if not isinstance(value, str) or value == QgsProcessing.TEMPORARY_OUTPUT:
        return ""
    return value


def path_for_check(value: Any, name: str) -> str:
    """The path that an output's value states, or words in place of a temporary one."""
    return stated_path(value) or f"a temporary file for {name}"


def paths_for_run(
    algorithm: QgsProcessingAlgorithm,
    values: dict[str, Any],
    names: Iterable[str],
    context: QgsProcessingContext,
) -> dict[str, str]:
    """By output, the path to write; temporary ones get theirs here, so it is called once a run."""
    return {name: algorithm.parameterAsOutputLayer(values, name, context) for name in names}


def is_temporary(path: str) -> bool:
    """Whether a path lies where QGIS keeps what goes with it."""
    return Path(_canonical(QgsProcessingUtils.tempFolder())) in Path(_canonical(path)).parents


def same_file(one: str | Path, other: str | Path) -> bool:
    """True where both paths lead to one file, whether or not it exists yet."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return _canonical(one) == _canonical(other)


def _canonical(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def layers_showing(project: QgsProject | None, paths: Iterable[str]) -> dict[str, list[str]]:
    """By output path, the ids of the project's layers that show that file."""
    found: dict[str, list[str]] = {path: [] for path in paths}
    for layer in project.mapLayers().values() if project else ():
        if not isinstance(layer, QgsRasterLayer) or layer.providerType() != "gdal":
            continue
        files = local_files(source_path(layer))
        for path, ids in found.items():
            if any(same_file(path, file) for file in files):
                ids.append(layer.id())
    return {path: ids for path, ids in found.items() if ids}


def refuse_open_files(project: QgsProject | None, showing: dict[str, list[str]]) -> None:
    """OutputError on Windows for an output that a layer holds open."""
    if sys.platform != "win32" or not showing:
        return
    path, ids = next(iter(showing.items()))
    text = tr("The output {} is open as the layer “{}”, so Windows does not let it be replaced.")
    raise OutputError(
        text.format(path, project.mapLayer(ids[0]).name()),
        tr("Remove that layer, or choose another file name."),
    )


class MainThread(QObject):
    """Calls a function in QGIS's main thread, at once from there, soon from any other."""

    _asked = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.moveToThread(QgsApplication.instance().thread())
        self._asked.connect(self._call)

    def call(self, function: Callable[[], None]) -> None:
        """Call `function`."""
        self._asked.emit(function)

    def _call(self, function: Callable[[], None]) -> None:
        function()
