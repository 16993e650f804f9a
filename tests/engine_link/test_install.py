"""The set-up, by a real Python and a real pip, from a folder of tiny wheels made here."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest

from rasd_fusion.rasd_qgis.contract.errors import Cancelled, EngineBrokenError
from rasd_fusion.rasd_qgis.engine_link import environment, install, network
from rasd_fusion.rasd_qgis.engine_link.remedies import explain

from .shop import open_shop


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The product's set-up, pointed at two tiny packages that need no network."""
    return open_shop(tmp_path, monkeypatch)


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


def test_a_space_and_foreign_letters_in_the_path_do_no_harm(shop):
    home = shop / "größe mit Raum 数据"
    assert run(home).exists()
    assert isinstance(environment.state(home), environment.Ready)


def test_it_works_offline_from_a_folder_of_wheels(shop, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    home = shop / "engine"
    install.install(home, lambda *_: None, lambda: False, wheels=shop / "wheels")
    assert isinstance(environment.state(home), environment.Ready)


def test_a_complete_engine_is_made_anew_on_demand(shop):
    home = shop / "engine"
    run(home)
    broken = next(home.rglob("rasdalpha.py"))
    broken.write_text("raise ImportError('a library is gone')\n")
    install.install(home, lambda *_: None, lambda: False, anew=True)
    assert "42" in next(home.rglob("rasdalpha.py")).read_text()


@pytest.fixture
def from_the_network(shop, monkeypatch):
    """The packages have to come from an index."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "1")  # pip tells of a proxy only as it tries again
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.invalid/simple")
    return shop


def failure(home) -> EngineBrokenError:
    with pytest.raises(EngineBrokenError) as caught:
        run(home)
    assert isinstance(environment.state(home), environment.Broken)
    return caught.value


def test_without_a_network_it_says_so_and_how_to_go_on(from_the_network, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    advice = failure(from_the_network / "engine").advice
    assert "check the network" in advice and "folder of wheels" in advice


@pytest.mark.parametrize(("status", "told"), [(403, "refuses"), (407, "a name and a password")])
def test_a_proxy_set_in_qgis_is_used_and_its_refusal_told(
    qgis_app, from_the_network, proxy, status, told
):
    proxy.answer = status
    error = failure(from_the_network / "engine")
    assert told in error.advice and "Settings → Options → Network" in error.advice
    assert proxy.asked[0][0] == "CONNECT packages.invalid:443"
    assert base64.b64decode(proxy.asked[0][1].split()[1]) == b"me@work:a/b"


def test_a_full_disk_is_said_before_anything_is_downloaded(shop, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(EngineBrokenError, match="has 1 MB free") as caught:
        run(shop / "engine")
    assert "Make room" in caught.value.advice
    assert not (shop / "engine").exists()


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        ("OSError: [Errno 28] No space left on device", "Make room"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        ("ERROR: Could not find a version that satisfies the requirement", "check the network"),
        ("Killed", "Run this again"),
    ],
)
def test_pips_words_lead_to_a_way_out(words, way_out):
    said, advice = explain(["python", "-m", "pip"], ["Collecting torch", words])
    assert words in said
    assert way_out.lower() in advice.lower()


def test_qgis_own_settings_are_left_out_where_there_are_none(qgis_app, tmp_path):
    assert network.pip_settings(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
