"""Bad input, through qgis_process as a user meets it: one sentence, exit 1, nothing written.

Also what only a process of its own can show: Ctrl-C, and the death of QGIS.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from rasd_fusion.rasd_qgis.engine_link import environment

from .conftest import GUIDE_BANDS, coarse_view, guide_view, scene, write_raster

SIDE = 96
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@pytest.fixture
def command(root, engine, pair, monkeypatch):
    """The command line of a run with these changes."""
    monkeypatch.setenv(environment.VARIABLE, str(environment.engine_home()))

    def build(**changes) -> list[str]:
        values = pair.values(CONFIDENCE=str(pair.folder / "confidence.tif"), **changes)
        tool = [sys.executable, str(root / "tools" / "qgis_process"), "run", "rasd:fuse", "--"]
        return tool + [f"{name}={value}" for name, value in values.items()]

    return build


def inputs_of(folder: Path) -> set[str]:
    """The files there, but for the statistics that QGIS itself keeps beside a raster it opens."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(".aux.xml")}


def far_away(pair):
    write_raster(pair.ms, guide_view(scene()), 10.0, origin=(900_000.0, 4_500_000.0))


def the_same_twice(pair):
    return {"INPUT_MS": pair.hs}


def wrong_way_round(pair):
    write_raster(pair.hs, np.repeat(guide_view(scene()), 4, 0), 10.0)
    write_raster(pair.ms, coarse_view(scene())[:4], 40.0)


def few_bands(pair):
    write_raster(pair.hs, coarse_view(scene())[: GUIDE_BANDS - 1], 40.0)


def one_band(pair):
    write_raster(pair.hs, coarse_view(scene())[:1], 40.0)


def lost_crs(pair):
    write_raster(pair.hs, coarse_view(scene()), 40.0, epsg=None, origin=(10.0, 50.0))


def all_invalid(pair):
    write_raster(pair.hs, np.full((12, 24, 24), 65535, "uint16"), 40.0, nodata=65535)


def paletted(pair):
    write_raster(pair.ms, (guide_view(scene(), 1) / 40).astype("uint8"), 10.0)
    dataset = gdal.Open(str(pair.ms), gdal.GA_Update)
    table = gdal.ColorTable()
    for i in range(256):
        table.SetColorEntry(i, (i, 255 - i, 0))
    dataset.GetRasterBand(1).SetColorTable(table)


def garbage(pair):
    pair.ms.write_bytes(b"II*\0 this is no raster")


def hs_garbage(pair):
    pair.hs.write_text("This is no raster.")


def truncated(pair):
    data = pair.ms.read_bytes()
    pair.ms.write_bytes(data[: len(data) // 2])


def not_a_model(pair):
    (pair.folder / "m.safetensors").write_bytes(b"\x80\x04cposix\nsystem\n")
    return {"MODEL": "file", "MODEL_FILE": pair.folder / "m.safetensors"}


def no_such_folder(pair):
    return {"OUTPUT": pair.folder / "none" / "fused.tif"}


def a_file_as_folder(pair):
    (pair.folder / "file").touch()
    return {"OUTPUT": pair.folder / "file" / "fused.tif"}


def a_folder_nobody_may_write_to(pair):
    """Not even root, as whom tests in containers run."""
    return {"OUTPUT": "/proc/fused.tif"}


def no_such_model(pair):
    return {"MODEL": "file", "MODEL_FILE": pair.folder / "none.safetensors"}


def no_model_named(pair):
    return {"MODEL": "file"}


def a_model_of_others(pair):
    """Whole, safe, and of another program."""
    header = b'{"__metadata__":{"format":"pt"}}'
    content = len(header).to_bytes(8, "little") + header
    (pair.folder / "m.safetensors").write_bytes(content)
    return {"MODEL": "file", "MODEL_FILE": pair.folder / "m.safetensors"}


def far_extent(pair):
    return {"EXTENT": "0,10,0,10 [EPSG:32632]"}


def bad_ratio(pair):
    return {"ROUTING_RATIO": 1.2}


def unknown_format(pair):
    return {"OUTPUT": pair.folder / "fused.docx"}


def onto_its_input(pair):
    return {"OUTPUT": pair.hs}


BAD = [
    (far_away, "overlap"),
    (the_same_twice, "both the hyperspectral and the multispectral"),
    (wrong_way_round, "finer"),
    (few_bands, "bands"),
    (one_band, "band"),
    (lost_crs, "CRS"),
    (all_invalid, "valid"),
    (paletted, "palette"),
    (garbage, "cannot be opened"),
    (hs_garbage, "cannot be opened"),
    (truncated, "read"),
    (not_a_model, "is not a model file"),
    (no_such_model, "cannot be read"),
    (no_model_named, "no model file was given"),
    (a_model_of_others, "no card"),
    (far_extent, "extent"),
    (no_such_folder, "folder"),
    (a_file_as_folder, "folder"),
    pytest.param(a_folder_nobody_may_write_to, "folder /proc", marks=linux),
    (bad_ratio, "routing ratio"),
    (unknown_format, "docx"),
    (onto_its_input, "one of the inputs"),
]


@pytest.mark.parametrize(("spoil", "word"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_bad_input_is_one_sentence_and_exit_1(command, pair, spoil, word):
    changes = spoil(pair) or {}
    before = inputs_of(pair.folder)
    ended = subprocess.run(command(**changes), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    errors = [line for line in ended.stderr.splitlines() if word.lower() in line.lower()]
    assert any(line.endswith(".") for line in errors), ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert inputs_of(pair.folder) == before


@pytest.mark.parametrize("home", ["none", "half"])
def test_a_missing_or_broken_engine_is_one_sentence_and_exit_1(command, pair, monkeypatch, home):
    half = pair.folder / "half"
    half.mkdir()
    (half / "pyvenv.cfg").touch()
    monkeypatch.setenv(environment.VARIABLE, str(pair.folder / home))
    ended = subprocess.run(command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert ended.stderr.count("rasd:setupengine") == 1
    assert not (pair.folder / "fused.tif").exists()


def test_a_good_run_exits_0_and_prints_its_figures(command, pair):
    ended = subprocess.run(command(), capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for name in ("OUTPUT", "CONFIDENCE", "ROUTING_RATIO_USED", "LOW_RANK_SHARE", "STEPS"):
        assert f"{name}:\t" in ended.stdout
    assert inputs_of(pair.folder) == {
        "hs.tif",
        "ms.tif",
        "fused.tif",
        "fused.qml",
        "confidence.tif",
        "confidence.qml",
    }


def engines() -> set[int]:
    """The processes that run the engine's entry."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(b"rasd_qgis/engine/__main__.py") for word in words):
            found.add(int(folder.name))
    return found


def started(command, pair) -> tuple[subprocess.Popen, int]:
    """A long run, and its engine, once it has trained a little."""
    before = engines()
    process = subprocess.Popen(
        command(MODEL="scene", TRAINING_STEPS=1_000_000),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (new := engines() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(3.0)
    assert len(new) == 1
    return process, new.pop()


def left_by(pair) -> set[str]:
    """The names in the pair's folder, but for that of a run which may be taken up."""
    return inputs_of(pair.folder) - {"fused.tif.rasd-resume"}


def gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while pid in engines() and time.monotonic() < deadline:
        time.sleep(0.02)
    return pid not in engines()


@posix
def test_ctrl_c_cancels_cleanly(command, pair):
    process, engine = started(command, pair)
    process.send_signal(signal.SIGINT)
    assert gone(engine, 2.0)
    assert process.wait(10) == 1
    process.stdout.close()
    assert left_by(pair) == {"hs.tif", "ms.tif"}


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_death_of_qgis_leaves_no_engine_and_no_half_of_an_output(command, pair, number):
    process, engine = started(command, pair)
    os.killpg(process.pid, number)
    assert gone(engine, 2.0)
    process.wait(10)
    process.stdout.close()
    assert left_by(pair) == {"hs.tif", "ms.tif"}
