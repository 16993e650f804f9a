"""The translations: resources/i18n/*.ts, brought up to date with what the code and the help say.

    python3 tools/translate.py           # rewrite the catalogues
    python3 tools/translate.py --check   # 1, with what is missing, where one is not up to date

Every literal of `tr("…")` and `mark("…")`, and every paragraph of resources/help, is a source text.
What is translated stays so; new texts come in as unfinished, those that vanished are kept as such,
at the end, for whoever words them anew. The format is Qt Linguist's. Nothing is compiled: see
processing/translation.py. The XML that is read is this repository's own.
"""

from __future__ import annotations

import ast
import html
import sys
import xml.etree.ElementTree as ElementTree  # nosec B405  # reads this repository's own
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = ROOT / "resources" / "i18n"
SOURCES = ("processing", "rasd_qgis")
MARKERS = {"tr", "mark"}
CONTEXT = "RasdFusion"


def main(arguments: list[str]) -> int:
    """Rewrite or check every catalogue; the exit status."""
    texts, status = list(dict.fromkeys(extract())), 0
    for path in sorted(CATALOGUES.glob("*.ts")):
        known = read(path)
        missing = [text for text in texts if not known.get(text)]
        for text in missing:
            print(f"{path.name}: not translated: {text}", file=sys.stderr)
        wanted = catalogue(texts, known, path.stem.rpartition("_")[2])
        if "--check" not in arguments:
            path.write_text(wanted, encoding="utf-8")
        elif missing or path.read_text(encoding="utf-8") != wanted:
            status = 1
    return status


def extract() -> Iterator[str]:
    """Every text that the analyst may read, in the order of the files."""
    for folder in SOURCES:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield from literals(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "resources" / "help").glob("*.md")):
        for part in file.read_text(encoding="utf-8").split("\n\n"):
            yield " ".join(part.split())


def literals(source: str) -> Iterator[str]:
    """The literal texts that a module hands to `tr` or `mark`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in MARKERS:
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


def read(path: Path) -> dict[str, str]:
    """Translation by source text; "" for what is unfinished."""
    tree = ElementTree.parse(path)  # nosec B314  # this repository's own
    return {
        message.findtext("source", ""): message.findtext("translation", "")
        for message in tree.iter("message")
    }


def catalogue(texts: list[str], known: dict[str, str], language: str) -> str:
    """The catalogue's XML."""
    vanished = [text for text in known if text not in texts and known[text]]
    messages = [_message(text, known.get(text, "")) for text in texts]
    messages += [_message(text, known[text], "vanished") for text in vanished]
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'
        f'<TS version="2.1" language="{language}" sourcelanguage="en">\n'
        f"<context>\n    <name>{CONTEXT}</name>\n{''.join(messages)}</context>\n</TS>\n"
    )


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _message(text: str, translation: str, kind: str = "") -> str:
    kind = kind or ("" if translation else "unfinished")
    attribute = f' type="{kind}"' if kind else ""
    return (
        f"    <message>\n        <source>{_escaped(text)}</source>\n"
        f"        <translation{attribute}>{_escaped(translation)}</translation>\n    </message>\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
