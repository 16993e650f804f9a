"""The set-up, by a real Python and a real pip, from a folder of tiny wheels made here."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from rasd_fusion.rasd_qgis.contract.errors import Cancelled, EngineBrokenError
from rasd_fusion.rasd_qgis.engine_link import builds, environment, install

PACKAGES = ("rasdalpha", "rasdbeta")


def write_wheel(folder: Path, name: str) -> None:
    """A wheel with one module, made by the letter of the format."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "answer = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    record = "".join(f"{path},sha256={digest},\n" for path, digest in digests.items())
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The product's set-up, pointed at two tiny packages that need no network."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in PACKAGES:
        write_wheel(wheels, name)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("".join(f"{name}==1.0\n" for name in PACKAGES))
    for module in (environment, install):
        monkeypatch.setattr(module, "REQUIREMENTS", requirements)
    monkeypatch.setattr(environment, "NEEDED", PACKAGES)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv(builds.INDEX_VARIABLE, "")
    return tmp_path


def run(home: Path, cancel_at: str = "\0", heard: list | None = None) -> Path:
    """Install; cancel once a line that holds `cancel_at` was heard."""
    heard = [] if heard is None else heard

    def is_cancelled() -> bool:
        return any(cancel_at in text for _, text in heard)

    return install.install(home, lambda *words: heard.append(words), is_cancelled)


def test_it_makes_an_engine_and_is_quick_the_second_time(shop):
    home = shop / "a place with ü"
    heard = []
    python = run(home, heard=heard)
    assert environment.state(home) == environment.Ready(python)
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert (home / environment.STAMP).read_text().strip() == environment.requirements_digest()
    modified = (home / "pyvenv.cfg").stat().st_mtime_ns
    assert run(home) == python
    assert (home / "pyvenv.cfg").stat().st_mtime_ns == modified


def test_a_set_up_that_was_cancelled_is_repaired_by_the_next(shop):
    home = shop / "engine"
    with pytest.raises(Cancelled):
        run(home, cancel_at="Processing")
    assert isinstance(environment.state(home), environment.Broken)
    (home / "half of a package").touch()
    run(home)
    assert isinstance(environment.state(home), environment.Ready)
    assert not (home / "half of a package").exists()


def test_what_pip_says_is_in_the_error(shop):
    (shop / "requirements.txt").write_text("rasdgamma==1.0\n")
    with pytest.raises(EngineBrokenError, match="rasdgamma") as caught:
        run(shop / "engine")
    assert "network" in caught.value.advice
    assert isinstance(environment.state(shop / "engine"), environment.Broken)


def test_a_folder_of_something_else_is_left_alone(shop):
    home = shop / "documents"
    home.mkdir()
    (home / "thesis.txt").write_text("precious")
    with pytest.raises(EngineBrokenError, match="left as it is"):
        run(home)
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]
    with pytest.raises(EngineBrokenError, match="not made by"):
        install.remove(home)


def test_packages_are_added_to_a_venv_of_the_users_own(shop):
    home = shop / "own"
    install._run([str(install.find_python()), "-m", "venv", str(home)], lambda: False, None)
    (home / "notes.txt").write_text("mine")
    run(home)
    assert isinstance(environment.state(home), environment.Ready)
    assert (home / "notes.txt").read_text() == "mine"
    assert environment.read_stamp(home) is None


def test_an_outdated_engine_is_made_anew_and_ours_can_be_removed(shop):
    home = shop / "engine"
    home.mkdir()
    (home / environment.STAMP).write_text("of an older version\n")
    (home / "old").touch()
    run(home)
    assert not (home / "old").exists()
    assert isinstance(environment.state(home), environment.Ready)
    install.remove(home)
    assert not home.exists()


def test_the_python_found_is_a_python_and_never_qgis(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/qgis")
    python = install.find_python()
    assert "qgis" not in python.name
    assert install._is_usable(python, lambda: False)


def test_without_any_python_it_says_what_to_install(monkeypatch, tmp_path):
    liar = tmp_path / "python3"
    liar.write_text("#!/bin/sh\necho I am QGIS\n")
    liar.chmod(0o755)
    monkeypatch.setattr(install, "_candidates", lambda: [liar, tmp_path / "none"])
    with pytest.raises(EngineBrokenError, match="python3-venv"):
        install.find_python()


@pytest.mark.skipif(sys.platform == "win32", reason="folder modes are POSIX's")
def test_a_place_that_cannot_be_written_is_named(shop):
    blocked = shop / "file"
    blocked.write_text("not a folder")
    with pytest.raises(EngineBrokenError, match="cannot be written"):
        run(blocked / "engine")
