"""The zip as QGIS's "Install from ZIP" meets it."""

from __future__ import annotations

import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree that may be built in and spoilt."""
    copy = tmp_path_factory.mktemp("checkout") / "any name"
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listing.stdout.split("\0")):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((root / name).read_bytes())
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    return copy


def package(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "tools" / "package.py")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def the_zip(checkout: Path) -> Path:
    (archive,) = (checkout / "dist").glob("*.zip")
    return archive


def test_zip_holds_the_plugin_and_nothing_else(checkout: Path) -> None:
    result = package(checkout)
    assert result.returncode == 0, result.stderr
    archive = the_zip(checkout)
    assert archive.name == "rasd_fusion-0.1.0.zip"
    assert archive.stat().st_size <= 25_000_000
    names = zipfile.ZipFile(archive).namelist()
    assert {name.split("/")[0] for name in names} == {"rasd_fusion"}
    for wanted in ("__init__.py", "metadata.txt", "LICENSE", "rasd_qgis/engine/requirements.txt"):
        assert f"rasd_fusion/{wanted}" in names
    for wanted in ("bundled.safetensors", "README.md", "recipe.json"):
        assert f"rasd_fusion/models/pretrained/{wanted}" in names
    unwanted = ("tests/", "benchmarks/", "tools/", "__pycache__", ".pyc", ".git")
    assert [name for name in names if any(part in name for part in unwanted)] == []


def test_the_same_tree_gives_the_same_bytes(checkout: Path) -> None:
    package(checkout)
    first = the_zip(checkout).read_bytes()
    (checkout / "metadata.txt").touch()
    package(checkout)
    assert the_zip(checkout).read_bytes() == first


def test_a_zip_without_the_model_is_refused(checkout: Path) -> None:
    model = checkout / "models" / "pretrained" / "bundled.safetensors"
    weights = model.read_bytes()
    model.unlink()
    try:
        result = package(checkout)
        assert result.returncode == 1
        assert "bundled.safetensors is missing" in result.stderr
    finally:
        model.write_bytes(weights)


@pytest.mark.parametrize(
    ("name", "size", "fault"),
    [
        ("models/fast_scan.so", 10, "is compiled"),
        ("resources/tests/scene.tif", 10, "is not for users"),
        ("resources/large.bin", 26_000_000, "the most is"),
    ],
)
def test_what_the_repository_refuses_is_refused_here(
    checkout: Path, name: str, size: int, fault: str
) -> None:
    culprit = checkout / name
    culprit.parent.mkdir(parents=True, exist_ok=True)
    # Bytes that do not compress.
    culprit.write_bytes(random.Random(0).randbytes(size))
    try:
        result = package(checkout)
        assert result.returncode == 1
        assert fault in result.stderr
        assert not list((checkout / "dist").glob("*.zip"))
    finally:
        culprit.unlink()
