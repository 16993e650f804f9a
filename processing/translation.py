"""Translation: every text the analyst reads passes through here."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication


def tr(text: str) -> str:
    """`text` in the language of QGIS, as far as it is translated."""
    return QCoreApplication.translate("RasdFusion", text)


def mark(text: str) -> str:
    """`text` itself: tools/translate.py finds it here, `tr` translates it where it is shown."""
    return text
