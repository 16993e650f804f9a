"""tools/qgis_process the way a person calls it: from any folder, with any exit status."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

LONGEST_SECONDS = 60


def run(root: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools" / "qgis_process"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST_SECONDS, **options
    )


def profiles() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("rasd-fusion-profile-*"))


def test_the_plugin_is_loaded_and_its_algorithms_listed(root: Path) -> None:
    result = run(root, "list")
    assert result.returncode == 0, result.stderr
    assert "rasd:fuse" in result.stdout
    assert "rasd:setupengine" in result.stdout


def test_a_failure_is_passed_on_and_the_profile_removed(root: Path) -> None:
    before = profiles()
    result = run(root, "run", "native:thereisnosuch")
    assert result.returncode == 1
    assert "not found" in result.stdout + result.stderr
    assert profiles() <= before


def test_relative_paths_are_the_callers(root: Path, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("id,x,y\n1,0,0\n", encoding="utf-8")
    arguments = (
        "INPUT=points.csv",
        "XFIELD=x",
        "YFIELD=y",
        "TARGET_CRS=EPSG:4326",
        "OUTPUT=out.gpkg",
    )
    result = run(root, "run", "native:createpointslayerfromtable", "--", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "out.gpkg").is_file()


def test_the_checkout_may_be_called_anything(root: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "a copy, üblich 2"
    skipped = shutil.ignore_patterns("build", "dist", ".git", "__pycache__", ".*_cache")
    shutil.copytree(root, checkout, ignore=skipped)
    result = run(checkout, "list", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "rasd:fuse" in result.stdout


def test_another_python_on_the_path_does_not_lead_qgis_astray(root: Path, tmp_path: Path) -> None:
    # What the Python inside QGIS takes for its home: a python3 with a library beside it.
    other = tmp_path / "bin" / "python3"
    landmark = tmp_path / "lib" / "python3.11" / "os.py"
    for file in (other, landmark):
        file.parent.mkdir(parents=True)
        file.write_text("#!/bin/sh\nexit 1\n")
        file.chmod(0o755)
    path = f"{other.parent}{os.pathsep}{os.environ['PATH']}"
    result = run(root, "list", env=os.environ | {"PATH": path, "PYTHONHOME": ""})
    assert result.returncode == 0, result.stderr
    assert "rasd:fuse" in result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_qgis_and_the_profile_is_removed(
    root: Path, tmp_path: Path, number: signal.Signals
) -> None:
    stand_in = tmp_path / "qgis_process"
    stand_in.write_text(
        "#!/bin/bash\n"
        "trap 'echo INT; exit 7' INT\ntrap 'echo TERM; exit 7' TERM\n"
        f"touch '{tmp_path}/started'\nwhile :; do sleep 0.05; done\n"
    )
    stand_in.chmod(0o755)
    before = profiles()
    process = subprocess.Popen(
        [sys.executable, str(root / "tools" / "qgis_process"), "list"],
        env=os.environ | {"RASD_FUSION_QGIS_PROCESS": str(stand_in)},
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    assert output.strip() == number.name.removeprefix("SIG")
    assert process.returncode == 7
    assert profiles() <= before


def test_without_qgis_one_sentence_says_what_to_do(root: Path, tmp_path: Path) -> None:
    result = run(root, "list", env={"PATH": str(tmp_path)})
    assert result.returncode == 127
    assert "Install QGIS 3.22 or later" in result.stderr
