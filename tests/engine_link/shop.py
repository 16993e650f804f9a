"""A shop of tiny wheels, so that the product's set-up runs whole in seconds, without a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

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


def open_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
