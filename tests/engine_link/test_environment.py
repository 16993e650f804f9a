"""Where the engine is, and in what state, by its files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rasd_fusion.rasd_qgis.contract.errors import EngineBrokenError, EngineMissingError
from rasd_fusion.rasd_qgis.engine_link import builds, environment


def make_engine(home: Path, lacking: str = "", stamp: str | None = None) -> Path:
    """The folders of a venv, as far as its state is read from them."""
    python = environment.engine_python(home)
    python.parent.mkdir(parents=True)
    python.touch()
    site = home / "lib" / "python3.11" / "site-packages"
    for name in environment.NEEDED:
        if name != lacking:
            (site / f"{name}-1.0.dist-info").mkdir(parents=True)
    (home / "pyvenv.cfg").touch()
    if stamp is not None:
        (home / environment.STAMP).write_text(stamp + "\n")
    return home


def test_the_variable_says_where_the_engine_is(monkeypatch, tmp_path):
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "my engine é"))
    assert environment.engine_home() == tmp_path / "my engine é"


def test_by_default_it_lies_outside_the_plugin_and_the_profile(monkeypatch, tmp_path, root):
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    home = environment.engine_home()
    assert home == tmp_path / "rasd-fusion" / "engine"
    assert root not in home.parents


def test_nothing_and_an_empty_folder_are_missing(tmp_path):
    assert environment.state(tmp_path / "none") == environment.Missing(tmp_path / "none")
    assert environment.state(tmp_path) == environment.Missing(tmp_path)


def test_a_finished_engine_of_ours_is_ready(tmp_path):
    home = make_engine(tmp_path / "e", stamp=environment.requirements_digest())
    assert environment.state(home) == environment.Ready(environment.engine_python(home))


def test_a_venv_of_the_users_own_is_ready_when_it_holds_what_is_needed(tmp_path):
    home = make_engine(tmp_path / "e")
    assert environment.state(home) == environment.Ready(environment.engine_python(home))


def test_an_interrupted_set_up_is_never_ready(tmp_path):
    home = make_engine(tmp_path / "e", stamp=environment.UNFINISHED)
    found = environment.state(home)
    assert isinstance(found, environment.Broken)
    assert "interrupted" in found.reason


@pytest.mark.parametrize("name", environment.NEEDED)
def test_a_lacking_package_is_named(tmp_path, name):
    found = environment.state(make_engine(tmp_path / "e", lacking=name))
    assert isinstance(found, environment.Broken)
    assert name in found.reason


def test_a_python_that_went_away_is_named(tmp_path):
    home = make_engine(tmp_path / "e")
    environment.engine_python(home).unlink()
    environment.engine_python(home).symlink_to(tmp_path / "gone")
    found = environment.state(home)
    assert isinstance(found, environment.Broken)
    assert "no Python" in found.reason


def test_an_engine_of_other_requirements_is_outdated(tmp_path):
    home = make_engine(tmp_path / "e", stamp="0" * 64)
    assert environment.state(home) == environment.Outdated(home)


def test_every_state_but_ready_says_what_to_do(monkeypatch, tmp_path):
    cases = {
        "none": (None, EngineMissingError),
        "old": (make_engine(tmp_path / "old", stamp="0" * 64), EngineBrokenError),
        "half": (make_engine(tmp_path / "half", stamp="unfinished"), EngineBrokenError),
        "poor": (make_engine(tmp_path / "poor", lacking="torch"), EngineBrokenError),
    }
    for name, (_, error) in cases.items():
        monkeypatch.setenv(environment.VARIABLE, str(tmp_path / name))
        with pytest.raises(error, match="rasd:setupengine"):
            environment.require_engine()
    home = make_engine(tmp_path / "good")
    monkeypatch.setenv(environment.VARIABLE, str(home))
    assert environment.require_engine() == environment.engine_python(home)


def test_the_packages_named_as_needed_are_requirements():
    lines = environment.REQUIREMENTS.read_text("utf-8").splitlines()
    names = {line.split("==")[0].split(">")[0].strip() for line in lines}
    assert set(environment.NEEDED) <= names


def test_the_index_of_torch_follows_the_driver_and_the_variable(monkeypatch):
    monkeypatch.delenv(builds.INDEX_VARIABLE, raising=False)
    monkeypatch.setattr(builds.sys, "platform", "linux")
    monkeypatch.setattr(builds, "has_nvidia_driver", lambda: False)
    assert builds.torch_index() == builds.CPU_INDEX
    monkeypatch.setattr(builds, "has_nvidia_driver", lambda: True)
    assert builds.torch_index() == builds.CUDA_INDEX
    monkeypatch.setattr(builds.sys, "platform", "darwin")
    assert builds.torch_index() is None
    monkeypatch.setenv(builds.INDEX_VARIABLE, "https://wheels.example.org")
    assert builds.torch_index() == "https://wheels.example.org"
    monkeypatch.setenv(builds.INDEX_VARIABLE, "")
    assert builds.torch_index() is None
