"""Arrival: where the outputs of a run stand in the layer tree."""

from __future__ import annotations

import pytest
from qgis.core import QgsLayerTree, QgsLayerTreeGroup, QgsRasterLayer

from rasd_fusion.processing.arrival import _move


@pytest.fixture
def layers(qgis_app) -> list[QgsRasterLayer]:
    return [QgsRasterLayer(f"{name}.tif", name, "gdal") for name in ("fused", "confidence")]


def names(group: QgsLayerTreeGroup) -> list[str]:
    return [node.name() for node in group.children()]


@pytest.mark.parametrize("fused_first", [True, False])
@pytest.mark.parametrize("current_is_in_the_group", [True, False])
def test_fused_stands_above_its_confidence(layers, fused_first, current_is_in_the_group):
    root = QgsLayerTree()
    order = layers if fused_first else layers[::-1]
    for layer in order:
        # A desktop puts a new layer above the current one: the first output, once it has arrived.
        group = root.findGroup("run")
        beside = group if group is not None and current_is_in_the_group else root
        _move(beside.insertLayer(0, layer), "run", on_top=layer.name() == "fused")
    assert names(root) == ["run"]
    assert names(root.children()[0]) == ["fused", "confidence"]
