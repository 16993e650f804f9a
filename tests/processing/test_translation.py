"""Other languages: the catalogue holds every text, and QGIS's language chooses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from string import Formatter

import pytest

from rasd_fusion.processing import translation

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture
def catalogue(root) -> dict[str, str]:
    return translation._read(root / "resources/i18n/rasd_fusion_zh.ts")


@pytest.fixture
def chinese():
    translation.speak("zh_CN")
    yield
    translation.speak("en")


def places(text: str) -> list[tuple[str, str]]:
    """What is filled in where: the number or name of each place, and its format."""
    found = [(name, form) for _, name, form, _ in Formatter().parse(text) if name is not None]
    return sorted((name or str(number), form) for number, (name, form) in enumerate(found))


def test_the_catalogue_holds_every_text_of_code_and_help(root):
    command = [sys.executable, str(root / "tools/translate.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert ended.returncode == 0, f"{ended.stderr}\nRun python3 tools/translate.py, translate."


def test_a_translation_has_the_places_of_its_source(catalogue):
    assert {t: z for t, z in catalogue.items() if places(t) != places(z)} == {}


def test_every_algorithm_speaks_chinese_throughout(chinese, provider):
    algorithms = [a for a in provider.algorithms() if not hasattr(a, "sourceFilePath")]
    assert algorithms
    for algorithm in [one.create() for one in algorithms]:
        shown = [algorithm.displayName(), algorithm.shortDescription()]
        shown += algorithm.shortHelpString().split("\n")
        shown += [one.description() for one in algorithm.parameterDefinitions()]
        english = [text for text in shown if not CHINESE.search(text)]
        assert english == [], algorithm.id()


@pytest.mark.parametrize(
    ("locale", "name"),
    [
        ("zh", "波段数（用于响应“random”）"),
        ("zh-Hans", "波段数（用于响应“random”）"),
        ("zh_TW", "Number of bands (for response “random”)"),
        ("zh-Hant", "Number of bands (for response “random”)"),
        ("de_DE", "Number of bands (for response “random”)"),
        ("C", "Number of bands (for response “random”)"),
    ],
)
def test_the_locale_chooses(locale, name):
    translation.speak(locale)
    assert translation.tr("Number of bands (for response “random”)") == name
    translation.speak("en")


def test_what_vanished_or_is_unfinished_is_not_shown(tmp_path):
    message = "<message><source>{}</source><translation{}>{}</translation></message>"
    path = tmp_path / "some.ts"
    path.write_text(
        "<TS><context><name>RasdFusion</name>"
        + message.format("a", "", "1 &lt; 2")
        + message.format("b", ' type="unfinished"', "")
        + message.format("c", ' type="vanished"', "3")
        + "</context></TS>"
    )
    assert translation._read(path) == {"a": "1 < 2"}


def test_qgis_in_chinese_shows_the_chinese_name(root):
    environment = {**os.environ, "LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN", "LC_ALL": ""}
    command = [sys.executable, str(root / "tools/qgis_process"), "list"]
    listed = subprocess.run(command, capture_output=True, env=environment).stdout.decode("utf-8")
    assert re.search(r"rasd:fuse\s+融合高光谱与多光谱影像", listed), listed[-500:]
