"""metadata.txt as the QGIS plugin repository wants it, and as the other files repeat it."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

REQUIRED = [
    *("name", "description", "about", "version", "qgisMinimumVersion", "author", "email"),
    *("tracker", "repository", "homepage", "license", "icon"),
]
PLACEHOLDERS = ("email", "tracker", "repository", "homepage")


@pytest.fixture(scope="module")
def metadata(root: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # keys keep their case
    parser.read(root / "metadata.txt", encoding="utf-8")
    return parser["general"]


def test_every_key_the_repository_asks_for_is_there(metadata: configparser.SectionProxy) -> None:
    assert [key for key in REQUIRED if not metadata.get(key, "").strip()] == []


def test_versions_and_provider(metadata: configparser.SectionProxy) -> None:
    assert metadata["qgisMinimumVersion"] == "3.22"
    assert metadata["qgisMaximumVersion"] == "4.99"
    assert metadata["hasProcessingProvider"] == "yes"
    assert "supportsQt6" not in metadata


def test_name_is_without_the_word_plugin(metadata: configparser.SectionProxy) -> None:
    assert metadata["name"] == "RASD Fusion"
    assert "plugin" not in metadata["description"].lower()


def test_placeholders_are_plain_and_listed_for_the_publisher(
    metadata: configparser.SectionProxy, root: Path
) -> None:
    contributing = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for key in PLACEHOLDERS:
        assert "example.org" in metadata[key]
        assert f"`{key}`" in contributing


def test_about_names_every_external_dependency(
    metadata: configparser.SectionProxy, root: Path
) -> None:
    text = (root / "rasd_qgis/engine/requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+)", text, flags=re.MULTILINE)
    assert names
    assert [name for name in names if name not in metadata["about"]] == []


def test_changelog_opens_with_this_version(metadata: configparser.SectionProxy, root: Path) -> None:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", text, flags=re.MULTILINE)
    assert versions[:1] == [metadata["version"]]


def test_icon_is_there_and_drawn(metadata: configparser.SectionProxy, root: Path) -> None:
    from qgis.PyQt.QtGui import QIcon

    icon = root / metadata["icon"]
    assert icon.is_file()
    assert not QIcon(str(icon)).pixmap(24, 24).isNull()
