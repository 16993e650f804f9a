"""Arrival: how outputs join the project: named, grouped, styled, and with their history."""

from __future__ import annotations

from collections import deque

from qgis.core import (
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
)

from .styles import Look, apply_look

# QGIS keeps no reference to a post-processor, and uses it after its algorithm is gone.
_kept: deque[Arrival] = deque(maxlen=256)


class Arrival(QgsProcessingLayerPostProcessorInterface):
    """Styles one loaded output, writes its history and moves it into the run's group."""

    def __init__(self, look: Look, group: str, on_top: bool, history: str) -> None:
        super().__init__()
        self._look = look
        self.group = group
        self.on_top = on_top
        self._history = history

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Called by QGIS in the main thread once the layer is loaded."""
        if not isinstance(layer, QgsRasterLayer):
            return
        apply_look(layer, self._look)
        add_history(layer, self._history)
        node = context.project().layerTreeRoot().findLayer(layer.id())
        if node is not None and not _knows_groups():
            _move(node, self.group, self.on_top)


def announce(
    context: QgsProcessingContext, path: str, usual_name: str, name: str, arrival: Arrival
) -> None:
    """Tell QGIS how to load the output at `path`, where it is going to load it at all.

    `usual_name` is what QGIS calls it by itself; a name that the user or a model gave stays.
    """
    if not context.willLoadLayerOnCompletion(path):
        return
    _kept.append(arrival)
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", usual_name):
        details.name = name
        details.forceName = True
    if _knows_groups():
        details.groupName = details.groupName or arrival.group
        details.layerSortKey = int(arrival.on_top)
    details.setPostProcessor(arrival)


def add_history(layer: QgsRasterLayer, text: str) -> None:
    """Append a line to the history in the layer's metadata."""
    metadata = layer.metadata()
    metadata.addHistoryItem(text)
    layer.setMetadata(metadata)


def _knows_groups() -> bool:
    """True from QGIS 3.32 on, which groups what it loads by itself."""
    return hasattr(QgsProcessingContext.LayerDetails, "groupName")


def _move(node: QgsLayerTreeLayer, name: str, on_top: bool) -> None:
    """Move a layer's node into the group of that name beside it, or to its place in that group.

    QGIS puts a new layer above the current one, which may stand in the run's group already.
    """
    parent = node.parent()
    inside = parent.name() == name
    group = parent if inside else parent.findGroup(name) or parent.insertGroup(0, name)
    group.insertChildNode(0 if on_top else -1, node.clone())
    parent.removeChildNode(node)
