"""The plugin's life: loaded, shown, and gone without a trace."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from qgis.core import QgsApplication
from qgis.PyQt.QtWidgets import QMainWindow

from rasd_fusion import classFactory


class Iface:
    """The part of QGIS's window that the plugin touches, by its own names."""

    def __init__(self):
        self.window = QMainWindow()
        self.menu, self.toolbar = [], []

    def mainWindow(self):
        return self.window

    def addPluginToRasterMenu(self, name, action):
        self.menu.append((name, action))

    def removePluginRasterMenu(self, name, action):
        self.menu.remove((name, action))

    def addRasterToolBarIcon(self, action):
        self.toolbar.append(action)

    def removeRasterToolBarIcon(self, action):
        self.toolbar.remove(action)


def registered():
    return QgsApplication.processingRegistry().providerById("rasd")


@pytest.fixture
def plugin(qgis_app, qgis_processing):
    assert registered() is None
    plugin = classFactory(Iface())
    yield plugin
    plugin.unload()


def test_processing_alone_needs_no_window(qgis_app, qgis_processing):
    plugin = classFactory(None)
    plugin.initProcessing()
    plugin.initProcessing()
    ids = [algorithm.id() for algorithm in registered().algorithms()]
    assert len(ids) == len(set(ids))
    assert {"rasd:assess", "rasd:fuse", "rasd:setupengine", "rasd:simulate"} <= set(ids)
    plugin.unload()
    assert registered() is None


def test_the_window_shows_menu_entries_and_one_button(plugin):
    plugin.initGui()
    iface = plugin._iface
    assert {name for name, _ in iface.menu} == {"RASD Fusion"}
    assert [action.objectName() for action in iface.toolbar] == ["rasdFusionFuse"]
    names = [action.objectName() for _, action in iface.menu]
    assert names[:2] == ["rasdFusionFuse", "rasdFusionSample"]
    assert len(set(names)) == len(names)
    assert not any(action.icon().isNull() for _, action in iface.menu)


def test_unloading_takes_everything_back_and_reloading_brings_it_again(plugin):
    for _ in range(3):
        plugin.initGui()
        assert registered() is not None
        plugin.unload()
        assert (plugin._iface.menu, plugin._iface.toolbar) == ([], [])
        assert registered() is None


def test_unloading_stops_engines_that_run(plugin, monkeypatch):
    from rasd_fusion.processing import provider

    stopped = []
    monkeypatch.setattr(provider, "stop_all", lambda: stopped.append(True))
    plugin.initProcessing()
    plugin.unload()
    assert stopped


def test_the_button_opens_the_dialog_of_fuse(plugin, monkeypatch):
    from rasd_fusion.rasd_qgis.gui import opening

    opened = []
    monkeypatch.setattr(opening, "show", lambda *words: opened.append(words))
    plugin.initGui()
    plugin._iface.toolbar[0].trigger()
    assert opened == [("rasd:fuse", {})]


def test_loading_the_plugin_brings_no_library_of_the_engine(root):
    """Neither torch nor rasterio is imported, whatever QGIS's Python happens to hold."""
    code = f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location(
            "rasd_fusion", {str(root / "__init__.py")!r}, submodule_search_locations=[{str(root)!r}]
        )
        package = importlib.util.module_from_spec(spec)
        sys.modules["rasd_fusion"] = package
        spec.loader.exec_module(package)
        assert not [n for n in sys.modules if n.startswith(("rasd_fusion.", "qgis"))]
        import rasd_fusion.rasd_qgis.plugin
        assert not {{"torch", "rasterio", "safetensors", "numba"}} & set(sys.modules)
        assert not any(p == {str(root)!r} for p in sys.path)
    """
    ended = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
