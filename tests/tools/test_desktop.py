"""tools/desktop: a real QGIS window with the plugin in it, and a picture of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

READY = "os.environ['RASD_FUSION_DESKTOP_READY']"


def show(root: Path, tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "startup.py").write_text("import os, pathlib\n" + script, encoding="utf-8")
    command = [
        sys.executable,
        str(root / "tools" / "desktop"),
        "--script",
        str(tmp_path / "startup.py"),
    ]
    command += ["--picture", str(tmp_path / "shot.png"), "--seconds", "90", "--size", "1000x700"]
    return subprocess.run(command, capture_output=True, text=True, timeout=150)


@pytest.mark.slow
def test_the_plugin_shows_in_a_desktop(root: Path, tmp_path: Path) -> None:
    script = (
        "from qgis.core import QgsApplication\n"
        "from qgis.utils import plugins\n"
        "missing = [] if 'rasd_fusion' in plugins else ['plugin']\n"
        "if QgsApplication.processingRegistry().algorithmById('rasd:fuse') is None:\n"
        "    missing.append('rasd:fuse')\n"
        f"pathlib.Path({READY}).write_text(' '.join(missing))\n"
    )
    result = show(root, tmp_path, script)
    assert result.returncode == 0, result.stderr
    from qgis.PyQt.QtGui import QImage

    picture = QImage(str(tmp_path / "shot.png"))
    assert (picture.width(), picture.height()) == (1000, 700)
    colours = {picture.pixel(x, y) for x in range(0, 1000, 25) for y in range(0, 700, 25)}
    assert len(colours) > 5  # a window, not a black screen


@pytest.mark.slow
def test_a_script_that_fails_says_why(root: Path, tmp_path: Path) -> None:
    result = show(root, tmp_path, f"pathlib.Path({READY}).write_text('no layer came')\n")
    assert result.returncode == 1
    assert "no layer came" in result.stderr
    assert (tmp_path / "shot.png").exists()
