"""Opening: which window opens for which algorithm, wherever Processing is asked for it.

The windows are imported when they are first opened: they need QGIS's Processing, which may be
loaded after this plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import QgsProcessingAlgorithm
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QDialog, QWidget

from ...processing import base

if TYPE_CHECKING:
    from .setup_window import SetupWindow

# Python would otherwise delete a dialog under the algorithm that runs in it.
_shown: list[QDialog] = []
_setup: SetupWindow | None = None


def register() -> None:
    """From now on the toolbox, the menus and the history open these windows."""
    base.windows["fuse"] = fusion_dialog


def unregister() -> None:
    """Processing's plain dialogs again, and none of ours open."""
    base.windows.clear()
    global _setup
    while _shown:
        _shown.pop().close()
    if _setup is not None:
        _setup.abandon()
        _setup.hide()
        _setup.deleteLater()
        _setup = None


def fusion_dialog(algorithm: QgsProcessingAlgorithm, parent: QWidget | None) -> QDialog:
    """The dialog of rasd:fuse."""
    from .fusion_dialog import FusionDialog

    return FusionDialog(algorithm, parent)


def show(algorithm_id: str, parameters: dict[str, Any]) -> QDialog:
    """Open an algorithm's window, filled in; the map stays at hand beside it."""
    import processing  # QGIS's own package, which is there in the desktop only

    dialog = processing.createAlgorithmDialog(algorithm_id, parameters)
    dialog.setWindowModality(Qt.WindowModality.NonModal)
    dialog.rejected.connect(lambda: _forget(dialog))
    _shown.append(dialog)
    dialog.show()
    return dialog


def setup_window(parent: QWidget | None = None) -> SetupWindow:
    """Show the engine's set-up window, the one there is."""
    global _setup
    if _setup is None:
        from .setup_window import SetupWindow

        _setup = SetupWindow(parent)
    _setup.refresh()
    _setup.show()
    _setup.raise_()
    return _setup


def _forget(dialog: QDialog) -> None:
    if dialog in _shown:
        _shown.remove(dialog)
