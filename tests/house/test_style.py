"""What no linter knows of this house: one code for Qt 5 and Qt 6, module docstrings, file names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

OURS = ("processing", "rasd_qgis", "models", "tests", "benchmarks", "tools")
# Classes whose enum members Qt 6 and QGIS 4 give only by the enum's own name, and the old names.
ENUM_MEMBERS = {
    "Qt": r"[A-Z]\w*",
    "QgsProcessing": r"Type\w+",
    "QgsProcessingParameterNumber": r"Integer|Double",
    "QgsProcessingParameterFile": r"File|Folder",
    "QgsProcessingParameterDefinition": r"Flag\w+",
    "QgsProcessingAlgorithm": r"Flag\w+",
    "QgsMapLayer": r"\w+Layer",
    "QgsRasterInterface": r"\w+",
    "Qgis": r"Info|Warning|Critical|Success",
    "QMessageBox": r"Yes|No|Ok|Cancel|Warning|Critical",
}


def files(root: Path) -> Iterator[Path]:
    yield root / "__init__.py"
    for part in OURS:
        yield from sorted((root / part).rglob("*.py"))


def qt6_faults(source: str) -> list[str]:
    """Lines of `source` that Qt 6 or QGIS 4 would not run."""
    tree = ast.parse(source)
    scopes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    faults = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if node.attr == "exec_":
            faults.append(f"{node.lineno}: exec_()")
        if isinstance(node.value, ast.Name) and id(node) not in scopes:
            members = ENUM_MEMBERS.get(node.value.id)
            if members and re.fullmatch(members, node.attr):
                faults.append(f"{node.lineno}: unscoped {node.value.id}.{node.attr}")
    return faults


def test_qt_is_written_for_5_and_6(root: Path) -> None:
    found = {
        str(file.relative_to(root)): qt6_faults(file.read_text(encoding="utf-8"))
        for file in files(root)
    }
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("dialog.exec_()", 1),
        ("Qt.UserRole", 1),
        ("QgsProcessing.TypeRaster", 1),
        ("QgsProcessingParameterDefinition.FlagAdvanced", 1),
        ("Qgis.Warning", 1),
        ("dialog.exec()", 0),
        ("Qt.ItemDataRole.UserRole", 0),
        ("QgsProcessing.SourceType.TypeRaster", 0),
        ("Qgis.MessageLevel.Warning", 0),
        ("Qgis.QGIS_VERSION", 0),
    ],
)
def test_qt6_faults_are_told_from_good_lines(line: str, faults: int) -> None:
    assert len(qt6_faults(line)) == faults


def test_every_module_opens_with_its_docstring(root: Path) -> None:
    silent = []
    for file in files(root):
        source = file.read_text(encoding="utf-8")
        if not source.startswith('"""') or ast.get_docstring(ast.parse(source)) is None:
            silent.append(str(file.relative_to(root)))
    assert silent == []


def test_files_and_folders_are_named_in_snake_case(root: Path) -> None:
    odd = [
        str(file.relative_to(root))
        for file in files(root)
        if not all(
            re.fullmatch(r"[a-z_][a-z0-9_]*", Path(p).stem) for p in file.relative_to(root).parts
        )
    ]
    assert odd == []


def test_files_of_the_product_stay_short(root: Path) -> None:
    lengths = {
        str(file.relative_to(root)): len(file.read_text(encoding="utf-8").splitlines())
        for file in files(root)
        if (root / "tests") not in file.parents
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}
