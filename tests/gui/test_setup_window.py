"""The set-up window: a real pip on tiny wheels, the real engine for the self-test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections import namedtuple

import pytest
from qgis.core import QgsSettings
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QGuiApplication
from qgis.PyQt.QtWidgets import QLabel, QMessageBox, QPlainTextEdit, QPushButton

from rasd_fusion.rasd_qgis.contract.errors import EngineBrokenError
from rasd_fusion.rasd_qgis.engine_link import builds, environment, install, last_error
from rasd_fusion.rasd_qgis.gui import opening, setup_window
from rasd_fusion.rasd_qgis.gui.desk import Desk

from ..engine_link.conftest import proxied
from ..engine_link.shop import open_shop

PASSED = {
    "DEVICES": [
        {"device": "cpu", "works": True, "megapixels_per_second": 0.21, "error": None},
        {"device": "xpu", "works": False, "error": "no driver"},
    ],
    "PROBE": {"versions": {"torch": "2.13.0"}, "gpu": "", "devices": ["cpu"], "threads": 1},
}


@pytest.fixture
def open_window(qtbot, qgis_app):
    def show():
        window = setup_window.SetupWindow()
        qtbot.addWidget(window)
        window.show()
        return window

    return show


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A set-up of tiny packages at a place of its own; what is made there computes nothing."""
    shop = open_shop(tmp_path, monkeypatch)
    monkeypatch.setenv(environment.VARIABLE, str(shop / "an engine"))
    monkeypatch.setattr(setup_window, "self_test", lambda *_: PASSED)
    last_error.forget()
    return shop


def state_of(window):
    return window.findChild(QLabel, "rasdEngineState").text()


def log_of(window):
    return window.findChild(QPlainTextEdit).toPlainText()


def press(qtbot, window, name, wait_for_end=True):
    button = window.findChild(QPushButton, name)
    assert button.isEnabled()
    if not wait_for_end:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        return
    with qtbot.waitSignal(window.changed, timeout=120_000):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_log_stays_at_its_end_but_not_for_who_reads_further_up(qtbot, open_window):
    window = open_window()
    bar = window.findChild(QPlainTextEdit).verticalScrollBar()
    for number in range(60):
        window._say(f"line {number} " + "of some length " * (number % 9))
    qtbot.wait(100)  # until it is laid out
    before = bar.maximum()
    assert bar.value() == before > 0
    # It becomes smaller, as where the lines above it grow.
    window.resize(window.width(), window.height() - 120)
    qtbot.waitUntil(lambda: bar.maximum() > before)
    assert bar.value() == bar.maximum()
    window._say("and one more")
    assert bar.value() == bar.maximum()
    bar.triggerAction(bar.SliderAction.SliderPageStepSub)
    left_at = bar.value()
    window._say("unseen")
    assert bar.value() == left_at < bar.maximum()
    bar.triggerAction(bar.SliderAction.SliderToMaximum)
    window._say("seen")
    assert bar.value() == bar.maximum()


def test_from_nothing_to_a_ready_engine(qtbot, open_window, shop, photograph):
    window = open_window()
    assert "not set up" in state_of(window)
    assert "MB to download" in window._size.text()
    photograph(window, "setup_missing")
    press(qtbot, window, "rasdSetUp")
    photograph(window, "setup_ready")
    assert "ready" in state_of(window)
    assert "cpu: works, 0.21 megapixels" in log_of(window)
    assert "xpu: does not work: no driver" in log_of(window)
    assert isinstance(environment.state(), environment.Ready)
    assert "rasdalpha" in (shop / "engine-setup.log").read_text()


def test_a_failure_is_told_and_repaired(qtbot, open_window, shop, photograph):
    requirements = environment.REQUIREMENTS
    good = requirements.read_text()
    requirements.write_text(good + "rasdgamma==9\n")
    window = open_window()
    press(qtbot, window, "rasdSetUp")
    photograph(window, "setup_failed")
    assert "broken: its set-up was interrupted" in state_of(window)
    assert "check the network" in log_of(window)
    assert "rasdgamma" in last_error.last()
    requirements.write_text(good)
    assert window.findChild(QPushButton, "rasdSetUp").text() == "Repair"
    press(qtbot, window, "rasdSetUp")
    assert "ready" in state_of(window)


def no_network(shop, monkeypatch):
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")


def no_disk(shop, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: usage)


def wrong_python(shop, monkeypatch):
    old = shop / "python3"
    old.write_text("#!/bin/sh\necho rasd 3 8\n")
    old.chmod(0o755)
    monkeypatch.setattr(install, "_candidates", lambda: [old])


def refusing_proxy(shop, monkeypatch):
    no_network(shop, monkeypatch)
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.invalid/simple")


@pytest.mark.parametrize(
    ("fault", "sentence", "way_out"),
    [
        (no_network, "The set-up of the engine failed", ("check the network", "folder of wheels")),
        (no_disk, "has 1 MB free", ("Make room",)),
        (wrong_python, "No Python 3.10 or newer", ("apt install python3-venv", "python.org")),
        (refusing_proxy, "403", ("The proxy refuses", "Settings → Options → Network")),
    ],
)
def test_each_fault_is_told_with_its_way_out(
    qtbot, open_window, shop, monkeypatch, fault, sentence, way_out
):
    window = open_window()
    network = proxied() if fault is refusing_proxy else contextlib.nullcontext()
    with network, monkeypatch.context() as broken:
        fault(shop, broken)
        press(qtbot, window, "rasdSetUp")
    said = log_of(window)
    assert sentence in said and all(words in said for words in way_out)
    assert "ready" not in state_of(window)
    assert window.findChild(QPushButton, "rasdSetUp").isEnabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process")
def test_a_set_up_whose_qgis_was_killed_is_taken_up_again(qtbot, open_window, shop):
    child = os.fork()
    if child == 0:

        def die(_, text):
            if "Processing" in text:
                os.kill(os.getpid(), signal.SIGKILL)

        install.install(shop / "an engine", die, lambda: False)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    window = open_window()
    assert "interrupted" in state_of(window)
    assert window.findChild(QPushButton, "rasdSetUp").text() == "Repair"
    press(qtbot, window, "rasdSetUp")
    assert "ready" in state_of(window)


def test_a_venv_that_lost_a_package_or_its_python_is_repaired(qtbot, open_window, shop):
    window = open_window()
    press(qtbot, window, "rasdSetUp")
    home = environment.engine_home()
    for broken, told in (("rasdalpha*", "it lacks rasdalpha"), ("python*", "it has no Python")):
        for path in (*home.rglob(f"site-packages/{broken}"), *home.glob(f"bin/{broken}")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        window.refresh()
        assert told in state_of(window)
        assert window.findChild(QPushButton, "rasdSetUp").text() == "Repair"
    press(qtbot, window, "rasdSetUp")
    assert "ready" in state_of(window)


def test_without_a_gpus_driver_the_cpu_build_is_taken_and_that_is_said(
    open_window, shop, monkeypatch
):
    monkeypatch.delenv(builds.INDEX_VARIABLE)
    sizes = {}
    for found in (False, True):
        monkeypatch.setattr(builds, "has_nvidia_driver", lambda found=found: found)
        sizes[found] = open_window()._size.text()
    assert "CPU (no NVIDIA driver was found)" in sizes[False] and "330 MB" in sizes[False]
    assert "NVIDIA GPU (an NVIDIA driver was found)" in sizes[True] and "3000 MB" in sizes[True]


def test_while_it_works_the_engine_is_not_called_broken(qtbot, open_window, shop):
    window = open_window()
    press(qtbot, window, "rasdSetUp", wait_for_end=False)
    qtbot.waitUntil(lambda: "Processing" in log_of(window), timeout=60_000)
    window.refresh()
    assert "Setting up the engine…" in state_of(window)
    press(qtbot, window, "rasdSetUpCancel")
    assert "broken: its set-up was interrupted" in state_of(window)


def test_a_cancelled_set_up_can_be_taken_up_again(qtbot, open_window, shop):
    window = open_window()
    press(qtbot, window, "rasdSetUp", wait_for_end=False)
    qtbot.waitUntil(lambda: "Making the engine's environment" in log_of(window), timeout=60_000)
    press(qtbot, window, "rasdSetUpCancel")
    assert "Stopped" in log_of(window)
    assert "interrupted" in state_of(window)
    press(qtbot, window, "rasdSetUp")
    assert "ready" in state_of(window)


def test_wheels_from_a_folder(qtbot, open_window, shop, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    window = open_window()
    window._wheels.setFilePath(str(shop / "wheels"))
    press(qtbot, window, "rasdSetUp")
    assert "ready" in state_of(window)


def test_it_is_removed_after_a_question(qtbot, open_window, shop, monkeypatch):
    window = open_window()
    press(qtbot, window, "rasdSetUp")
    buttons = QMessageBox.StandardButton
    monkeypatch.setattr(setup_window.QMessageBox, "question", lambda *_: buttons.No)
    press(qtbot, window, "rasdRemoveEngine", wait_for_end=False)
    assert isinstance(environment.state(), environment.Ready)
    monkeypatch.setattr(setup_window.QMessageBox, "question", lambda *_: buttons.Yes)
    press(qtbot, window, "rasdRemoveEngine")
    assert isinstance(environment.state(), environment.Missing)


def test_the_self_test_of_the_real_engine(qtbot, open_window, engine, photograph):
    window = open_window()
    press(qtbot, window, "rasdSelfTest")
    photograph(window, "setup_self_test")
    assert "cpu: works" in log_of(window)
    press(qtbot, window, "rasdDiagnosis", wait_for_end=False)
    text = QGuiApplication.clipboard().text()
    assert "| cpu |" in text and "torch 2.13.0" in text


def test_the_diagnosis_says_what_helpers_ask_for(qtbot, open_window, no_engine, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    last_error.note(EngineBrokenError("It broke | here at /home/someone/x.", "Mend it."), "fuse")
    window = open_window()
    press(qtbot, window, "rasdDiagnosis", wait_for_end=False)
    text = QGuiApplication.clipboard().text()
    for part in ("RASD Fusion | 0.1.0", "QGIS | 3.", "Engine | not set up", "NVIDIA driver"):
        assert part in text
    assert "fuse, engine_broken" in text and "at ~/x. Mend it." in text
    assert "/home/someone" not in text
    last_error.forget()


def test_the_greeting_is_shown_once_and_leads_here(qtbot, qgis_iface, provider, no_engine):
    for times in (1, 0):
        qgis_iface.messageBar().clearWidgets()
        qtbot.wait(50)  # cleared ones are deleted soon
        desk = Desk(qgis_iface)
        desk.open()
        found = qgis_iface.messageBar().findChildren(QPushButton, "rasdGreeting")
        shown = [button for button in found if not button.isHidden()]
        assert len(shown) == times
        if shown:
            shown[0].click()
            assert opening._setup.isVisible()
        desk.close()
        assert opening._setup is None
    assert QgsSettings().value("rasd_fusion/greeted", type=bool)
