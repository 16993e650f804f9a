"""Resuming: what a run that was cut short had done is taken up, and the pixels are the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource, to_json
from rasd_fusion.rasd_qgis.engine import pipeline, resume, workspace
from rasd_fusion.rasd_qgis.engine.model import obtain
from rasd_fusion.rasd_qgis.engine.scene import train
from rasd_fusion.rasd_qgis.engine.service import memory

from .scenes import awaken, make_scene, run

SIDE, TILES = 224, 4
ENTRY = Path(memory.__file__).parents[1] / "__main__.py"


class Cut(BaseException):
    """As an interrupt from the keyboard."""


def holed_scene(folder):
    """The paths of a pair with a hole in its first tile and of a model that has a say."""
    made = make_scene(folder, SIDE)
    ms = made.ms.astype("float32")
    ms[:, 5:9, 5:9] = np.nan
    paths = made.write_hs((8 * made.hs).round().astype("uint16")), made.write_ms(ms)
    model = str(folder / "model.safetensors")
    run(folder, *paths, training_steps=0, model_output=model)
    awaken(model)
    return (*paths, model)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A pair of four tiles with a hole in the first, a model that has a say, and the result."""
    folder = tmp_path_factory.mktemp("scene")
    *paths, model = holed_scene(folder)
    whole = run(folder, *paths, **settings(folder, model, resumable=False))
    return (*paths, model, whole)


def settings(folder, model=None, **other):
    usual = {
        "tile_size": 64,
        "confidence": str(Path(folder) / "confidence.tif"),
        "resumable": True,
        "model": "file" if model else "scene",
        "model_file": model,
    }
    return {**usual, **other}


@pytest.fixture
def counted(monkeypatch):
    """Tiles and steps of training as they are done; `cut` of tiles or steps raises before one."""
    done = {"tiles": 0, "steps": 0, "cut tiles": None, "cut steps": None}

    def counting(name, real):
        def counts(*given, **named):
            if done[name] == done[f"cut {name}"]:
                raise Cut
            done[name] += 1
            return real(*given, **named)

        return counts

    monkeypatch.setattr(pipeline, "fuse_tile", counting("tiles", pipeline.fuse_tile))
    monkeypatch.setattr(train._Course, "_step", counting("steps", train._Course._step))
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    return done


def cut_short(done, folder, scene, tiles=None, steps=None, **other):
    done.update({"tiles": 0, "steps": 0, "cut tiles": tiles, "cut steps": steps})
    with pytest.raises(Cut):
        run(folder, *scene[:2], **settings(folder, **other))
    made = done["steps"]
    done.update({"tiles": 0, "steps": 0, "cut tiles": None, "cut steps": None})
    return made


def assert_same(result, whole):
    np.testing.assert_array_equal(result.bands, whole.bands)
    np.testing.assert_array_equal(result.valid, whole.valid)
    assert {k: v for k, v in result.values.items() if k != "TRAINING_SECONDS"} == {
        k: v for k, v in whole.values.items() if k != "TRAINING_SECONDS"
    }
    assert result.profile["nodata"] == whole.profile["nodata"]


@pytest.mark.parametrize("tiles", [1, 3])
def test_finished_tiles_are_taken_up(tmp_path, scene, counted, tiles):
    cut_short(counted, tmp_path, scene, tiles=tiles, model=scene[2])
    assert sorted(os.listdir(tmp_path)) == ["fused.tif.rasd-resume"]
    result = run(tmp_path, *scene[:2], **settings(tmp_path, scene[2]))
    # A tile is finished when it is on disk; the last may have been on its way there.
    assert TILES - tiles <= counted["tiles"] <= TILES - tiles + 1
    assert_same(result, scene[3])
    assert sorted(os.listdir(tmp_path)) == ["confidence.tif", "fused.tif"]


def test_a_run_of_the_bundled_model_is_taken_up_with_its_uncertainty(tmp_path, scene, counted):
    asked = {"model": str(obtain.BUNDLED), "uncertainty": str(tmp_path / "uncertainty.tif")}
    whole = run(tmp_path, *scene[:2], **settings(tmp_path, **asked, resumable=False))
    with rasterio.open(asked["uncertainty"]) as dataset:
        told = dataset.read()
    for path in tmp_path.iterdir():
        path.unlink()
    cut_short(counted, tmp_path, scene, tiles=2, **asked)
    result = run(tmp_path, *scene[:2], **settings(tmp_path, **asked))
    assert TILES - 2 <= counted["tiles"] < TILES
    assert_same(result, whole)
    with rasterio.open(asked["uncertainty"]) as dataset:
        np.testing.assert_array_equal(dataset.read(), told)


def test_a_model_from_a_file_is_taken_up_with_the_psf_that_was_told(tmp_path, scene, counted):
    asked = {"model": scene[2], "psf_sigma": 0.7}
    whole = run(tmp_path, *scene[:2], **settings(tmp_path, **asked, resumable=False))
    cut_short(counted, tmp_path, scene, tiles=2, **asked)
    assert_same(run(tmp_path, *scene[:2], **settings(tmp_path, **asked)), whole)


def test_a_training_that_ended_as_the_bundled_model_is_taken_up(
    tmp_path, scene, counted, monkeypatch
):
    monkeypatch.setattr(obtain, "is_worth", lambda trained, shipped_error: False)
    cut_short(counted, tmp_path, scene, tiles=1, training_steps=2)
    result = run(tmp_path, *scene[:2], **settings(tmp_path, training_steps=2))
    assert (counted["steps"], result.values["TRAINING_STEPS"]) == (0, 2)
    assert result.values["TRAINING_SECONDS"] > 0


def test_another_request_takes_up_nothing(tmp_path, scene, counted, monkeypatch):
    hs, ms, model, _ = scene
    copy = tmp_path / "copy.tif"
    copy.write_bytes(Path(ms).read_bytes())
    usual = {"model": model, "confidence": None}
    cut_short(counted, tmp_path, (hs, str(copy)), tiles=2, **usual)
    cut_short(counted, tmp_path, (hs, str(copy)), tiles=TILES - 1, **usual, routing_ratio=0.25)
    cut_short(counted, tmp_path, (hs, str(copy)), tiles=TILES - 1, **usual)
    os.utime(copy)
    cut_short(counted, tmp_path, (hs, str(copy)), tiles=TILES - 1, **usual)
    shipped = tmp_path / "shipped.safetensors"
    shipped.write_bytes(obtain.BUNDLED.read_bytes())
    monkeypatch.setattr(resume, "BUNDLED", shipped)
    cut_short(counted, tmp_path, (hs, str(copy)), tiles=TILES - 1, **usual)
    usual["confidence"] = str(tmp_path / "confidence.tif")
    run(tmp_path, hs, str(copy), **settings(tmp_path, **usual))
    assert counted["tiles"] == TILES


def test_a_file_that_was_lost_or_cut_short_is_computed_again(tmp_path, scene, counted):
    cut_short(counted, tmp_path, scene, tiles=3, model=scene[2])
    piece = next((tmp_path / "fused.tif.rasd-resume").glob("piece-000001-0*"))
    piece.write_bytes(piece.read_bytes()[:-1])
    result = run(tmp_path, *scene[:2], **settings(tmp_path, scene[2]))
    assert counted["tiles"] == TILES
    assert_same(result, scene[3])


# What a loss of power may leave of a file: nothing, its name alone, or its beginning.
def lost(path):
    path.unlink()


def emptied(path):
    path.write_bytes(b"")


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("spoil", [lost, emptied, halved])
@pytest.mark.parametrize(
    "name", ["piece-000001-0.npy", "*.carry", "journal.jsonl", "*.safetensors", "trained.json", "*"]
)
def test_whatever_is_lost_the_pixels_are_the_same(tmp_path, scene, counted, name, spoil):
    cut_short(counted, tmp_path, scene, tiles=3, model=scene[2])
    for path in (tmp_path / "fused.tif.rasd-resume").glob(name):
        if path.name not in ("lock", "request.json") or spoil is not lost:  # they come first
            spoil(path)
    result = run(tmp_path, *scene[:2], **settings(tmp_path, scene[2]))
    assert_same(result, scene[3])
    assert sorted(os.listdir(tmp_path)) == ["confidence.tif", "fused.tif"]


def test_a_journal_whose_end_was_not_written_still_serves(tmp_path, scene, counted):
    """As it is where its length reached the disk, and its last block did not."""
    cut_short(counted, tmp_path, scene, tiles=3, model=scene[2])
    journal = tmp_path / "fused.tif.rasd-resume/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + bytes(200))
    result = run(tmp_path, *scene[:2], **settings(tmp_path, scene[2]))
    assert counted["tiles"] == TILES - 2
    assert_same(result, scene[3])


@pytest.fixture
def synced(monkeypatch):
    """What has reached the disk for certain: files as they were synced, names given after that."""
    files, sync, rename = {}, os.fsync, os.replace

    def fsync(opened):
        path = Path(os.readlink(f"/proc/self/fd/{opened}"))
        if path.is_file():
            files[path] = path.read_bytes()
        sync(opened)

    def replace(part, path):
        files[Path(path)] = files.pop(Path(part))
        rename(part, path)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return files


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_training_and_tiles_go_on_from_what_had_reached_the_disk(tmp_path, scene, counted, synced):
    """Power is lost twice, and nothing is spared that need not be."""
    plain = {"training_steps": 50, "tile_size": 64, "confidence": None}
    whole = run(tmp_path, *scene[:2], output=str(tmp_path / "whole.tif"), **plain)
    for steps, cut in ((40, {"steps": 40}), (25, {"tiles": 3})):
        assert cut_short(counted, tmp_path, scene, **cut, **plain) == steps
        for path in (tmp_path / "fused.tif.rasd-resume").iterdir():
            if path.name != "lock":
                path.write_bytes(synced.get(path, b""))
    result = run(tmp_path, *scene[:2], **settings(tmp_path, **plain))
    assert counted["steps"] == 0
    assert counted["tiles"] < TILES
    assert_same(result, whole)


def test_the_next_run_removes_what_a_dead_one_left_beside_its_output(tmp_path, scene, counted):
    cut_short(counted, tmp_path, scene, tiles=2, model=scene[2], run_id="0000dead")
    (tmp_path / ".fused.rasd-0000dead.part.tif").write_text("half")
    (tmp_path / ".fused.rasd-00001234.part.tif").write_text("another's, who may be alive")
    run(tmp_path, *scene[:2], **settings(tmp_path, scene[2]))
    left = [".fused.rasd-00001234.part.tif", "confidence.tif", "fused.tif"]
    assert sorted(os.listdir(tmp_path)) == left


def test_what_is_kept_goes_by_request_and_by_age_but_nobody_elses(tmp_path, scene, counted):
    kept, other = tmp_path / "fused.tif.rasd-resume", str(tmp_path / "other.tif")
    plain = {"model": scene[2], "confidence": None}
    cut_short(counted, tmp_path, scene, tiles=2, **plain)
    run(tmp_path, *scene[:2], **settings(tmp_path, output=other, **plain))
    assert kept.is_dir()
    old = time.time() - (workspace.KEPT_DAYS + 1) * 86_400
    for path in kept.iterdir():
        os.utime(path, (old, old))
    run(tmp_path, *scene[:2], **settings(tmp_path, output=other, **plain))
    assert not kept.exists()
    cut_short(counted, tmp_path, scene, tiles=2, **plain)
    run(tmp_path, *scene[:2], **settings(tmp_path, resumable=False, **plain))
    assert not kept.exists()
    kept.mkdir()
    (kept / "mine.txt").write_text("not the engine's")
    run(tmp_path, *scene[:2], **settings(tmp_path, **plain))
    assert sorted(os.listdir(kept)) == ["mine.txt"]


def test_a_second_run_at_once_leaves_the_first_ones_folder_alone(tmp_path, scene, monkeypatch):
    kept, inner, real = tmp_path / "fused.tif.rasd-resume", [], pipeline.fuse_tile
    plain = settings(tmp_path, scene[2], confidence=None)

    def with_another(*given):
        if not inner:
            inner.append(None)
            inner[0] = run(tmp_path, *scene[:2], run_id="ffff0000", **plain)
            assert kept.is_dir()
        return real(*given)

    monkeypatch.setattr(pipeline, "fuse_tile", with_another)
    first = run(tmp_path, *scene[:2], **plain)
    np.testing.assert_array_equal(first.bands, inner[0].bands)
    assert sorted(os.listdir(tmp_path)) == ["fused.tif"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_that_was_ended_and_then_cancelled_is_gone_on_from(tmp_path, scene, sent):
    output = str(tmp_path / "fused.tif")
    sources = list(map(RasterSource, scene[:2]))
    usual = settings(tmp_path, scene[2], device="cpu")
    request = FuseRequest("0123abcd", *sources, output, **usual)
    kept = tmp_path / "fused.tif.rasd-resume"
    ended_at(request, "tile 2 of 4", lambda engine: engine.send_signal(sent), -sent)
    # An engine that is asked to go takes its temporary files along.
    assert sent == signal.SIGKILL or os.listdir(tmp_path) == [kept.name]
    finished = len((kept / "journal.jsonl").read_text().splitlines())
    assert finished >= 1
    said = ended_at(request, f"tile {finished + 1} of 4", lambda engine: engine.stdin.close())
    assert f"{finished} of 4 tiles of an earlier run taken up." in said
    assert os.listdir(tmp_path) == [kept.name]
    ended_at(request)
    with rasterio.open(output) as dataset:
        np.testing.assert_array_equal(dataset.read(), scene[3].bands)
    assert not kept.exists()


def ended_at(request, text=None, end=None, status=None):
    """Run the engine, ended where it says `text`; the texts until then. status: its exit status."""
    command = [sys.executable, "-I", "-X", "utf8", str(ENTRY)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    said = []
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes) as engine:
        engine.stdin.write(to_json(request).encode() + b"\n")
        engine.stdin.flush()
        for event in map(json.loads, engine.stdout):
            said.append(event.get("text"))
            if event["event"] in ("result", "failure"):
                break
            if text and event.get("text") == text:
                end(engine)
                assert engine.wait(30) == status or status is None
                break
    return said
