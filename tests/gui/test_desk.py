"""The desk in a QGIS window: its entries open their windows, and all of it can be taken back."""

from __future__ import annotations

import pytest
from qgis.PyQt.QtWidgets import QDockWidget

from rasd_fusion.processing import base
from rasd_fusion.rasd_qgis.gui.desk import Desk


@pytest.fixture
def desk(qgis_iface, provider, project):
    desk = Desk(qgis_iface)
    desk.open()
    yield desk
    desk.close()


def entry(desk, name):
    return next(action for action in desk._actions if action.objectName() == name)


@pytest.mark.parametrize(
    ("name", "dock"),
    [
        ("rasdFusionInspect", "rasdSpectralInspector"),
        ("rasdFusionRoutes", "rasdRoutingExplorer"),
    ],
)
def test_a_dock_is_made_once_and_shown_again(qtbot, desk, pair, engine, name, dock):
    entry(desk, name).trigger()
    first = next(d for d in desk._docks.values() if d.objectName() == dock)
    first.hide()
    entry(desk, name).trigger()
    assert len(desk._docks) == 1
    assert not first.isHidden()


def test_closing_leaves_nothing(qtbot, desk, pair, engine, qgis_iface):
    for action in desk._actions[2:]:
        action.trigger()
    assert desk._docks
    assert base.windows
    desk.close()
    assert (desk._docks, desk._actions, base.windows) == ({}, [], {})
    qtbot.wait(50)
    assert not qgis_iface.mainWindow().findChildren(QDockWidget, "rasdSpectralInspector")
