"""Translation: every text the analyst reads passes through here.

The catalogues are Qt Linguist's .ts files, read as they stand. A .qm would be a binary to compile
before a checkout speaks another language, and lrelease is in no installer of QGIS; a QTranslator
in Python would be asked for every text of all QGIS, from every thread. One dictionary is neither.
"""

from __future__ import annotations

import re
from pathlib import Path

from qgis.PyQt.QtCore import QFile, QIODevice, QXmlStreamReader

CATALOGUES = Path(__file__).resolve().parent.parent / "resources" / "i18n"
# Chinese as it is written on Taiwan, in Hong Kong and in Macao; the catalogue is in simplified.
_TRADITIONAL = re.compile(r"hant|tw|hk|mo", re.IGNORECASE)
_texts: dict[str, str] = {}


def tr(text: str) -> str:
    """`text` in the language of QGIS, as far as it is translated."""
    return _texts.get(text, text)


def mark(text: str) -> str:
    """`text` itself: tools/translate.py finds it here, `tr` translates it where it is shown."""
    return text


def speak(locale: str) -> None:
    """From now on translate into the language of `locale`, such as de or zh_CN; else English."""
    language, _, place = locale.replace("-", "_").partition("_")
    path = CATALOGUES / f"rasd_fusion_{language}.ts"
    known = path.is_file() and not (language == "zh" and _TRADITIONAL.search(place))
    _texts.clear()
    _texts.update(_read(path) if known else {})


def _read(path: Path) -> dict[str, str]:
    """Translation by text, of what is finished and has not vanished."""
    file = QFile(str(path))
    file.open(QIODevice.OpenModeFlag.ReadOnly)
    reader, found, source = QXmlStreamReader(file), {}, ""
    while not reader.atEnd():
        reader.readNext()
        if not reader.isStartElement():
            continue
        if reader.name() == "source":
            source = reader.readElementText()
        elif reader.name() == "translation" and not reader.attributes().hasAttribute("type"):
            found[source] = reader.readElementText()
    return found
