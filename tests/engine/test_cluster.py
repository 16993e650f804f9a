"""A run on a Dask cluster: the pixels of one machine's, whatever becomes of workers and client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import distributed
import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from safetensors import safe_open
from safetensors.torch import save_file

from rasd_fusion.rasd_qgis.contract.errors import ClusterError, RequestError
from rasd_fusion.rasd_qgis.contract.leftovers import KEPT_DAYS
from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource
from rasd_fusion.rasd_qgis.engine.cluster import arrival, client
from rasd_fusion.rasd_qgis.engine.cluster.storage import Storage
from rasd_fusion.rasd_qgis.engine.mosaic import Mosaic
from rasd_fusion.rasd_qgis.engine.rasters import write

from .scenes import run
from .test_resume import Cut, assert_same, ended_at, holed_scene

SIDE, TILES = 224, 4
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@pytest.fixture(scope="module")
def cluster():
    """Two workers, a process each, that know nothing of our package."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with distributed.LocalCluster(**options, dashboard_address=":0", memory_limit=0) as made:
        yield made


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A pair with a hole, a model that has a say, and what one machine makes of them."""
    folder = tmp_path_factory.mktemp("scene")
    *paths, model = holed_scene(folder)
    return (*paths, model, run(folder, *paths, **settings(folder, model)))


def settings(folder, file, **other):
    usual = {"tile_size": 64, "model": "file", "model_file": file}
    return {**usual, "confidence": str(Path(folder) / "confidence.tif"), **other}


def fused(folder, scene, cluster, **other):
    address = cluster.scheduler_address
    return run(folder, *scene[:2], dask_scheduler=address, **settings(folder, scene[2], **other))


def refused(folder, scene, address, **other):
    """The sentence of a run that must leave nothing behind."""
    asked = settings(folder, scene[2], **{"dask_scheduler": address, "resumable": True, **other})
    with pytest.raises(ClusterError) as caught:
        run(folder, *scene[:2], **asked)
    assert os.listdir(folder) == []
    return str(caught.value)


@pytest.mark.parametrize("storage", ["beside the output", "folder", "url"])
def test_pixels_and_figures_are_those_of_one_machine(tmp_path, scene, cluster, storage):
    shared, out = tmp_path / "shared", tmp_path / "out"
    shared.mkdir(), out.mkdir()
    places = {"folder": str(shared), "url": shared.as_uri()}
    result = fused(out, scene, cluster, dask_storage=places.get(storage), resumable=True)
    assert_same(result, scene[3])
    with (
        rasterio.open(out / "confidence.tif") as one,
        rasterio.open(Path(scene[2]).with_name("confidence.tif")) as other,
    ):
        np.testing.assert_array_equal(one.read(), other.read())
    assert sorted(os.listdir(out)) == ["confidence.tif", "fused.tif"]
    assert os.listdir(shared) == [] and result.warnings == scene[3].warnings


def test_outputs_are_laid_out_for_the_cloud(tmp_path, scene, cluster, monkeypatch):
    """Directories at the front, the image's first; then the overviews' blocks, then the image's."""
    monkeypatch.setattr(write, "BLOCK", 64)
    fused(tmp_path, scene, cluster, tile_size=128, output=str(tmp_path / "fused.vrt"))
    places = []
    for name in ("confidence.tif", "fused.tiles-0123abcd/r0000c0000.tif"):
        with rasterio.open(tmp_path / name) as dataset:
            levels = [None, *range(len(dataset.overviews(1)))]
            for item in ("IFD_OFFSET", "BLOCK_OFFSET_0_0"):
                where = [dataset.get_tag_item(item, "TIFF", bidx=1, ovr=level) for level in levels]
                places.append([int(place) for place in where])
    for directories, blocks in zip(places[::2], places[1::2]):
        assert len(directories) == 3
        assert directories == sorted(directories)
        assert blocks == sorted(blocks, reverse=True)
        assert directories[-1] < blocks[-1]
    with rasterio.open(tmp_path / "fused.vrt") as dataset:
        whole = run(tmp_path, *scene[:2], **settings(tmp_path, scene[2], tile_size=128))
        np.testing.assert_array_equal(dataset.read(), whole.bands)


def test_a_model_trained_on_the_scene_goes_to_the_workers(tmp_path, scene, cluster):
    plain = {"model": "scene", "model_file": None, "training_steps": 8, "confidence": None}
    here = run(tmp_path, *scene[:2], **settings(tmp_path, None, **plain))
    assert_same(fused(tmp_path, scene, cluster, **plain), here)
    assert os.listdir(tmp_path) == ["fused.tif"]


def test_the_bundled_model_and_its_study_go_to_the_workers(tmp_path, scene, cluster):
    asked = {"model": "bundled", "model_file": None, "uncertainty": str(tmp_path / "far.tif")}
    far = fused(tmp_path, scene, cluster, **asked)
    asked["uncertainty"] = str(tmp_path / "here.tif")
    assert_same(far, run(tmp_path, *scene[:2], **settings(tmp_path, None, **asked)))
    rasters = (rasterio.open(tmp_path / f"{name}.tif") for name in ("far", "here"))
    np.testing.assert_array_equal(*(raster.read() for raster in rasters))


@posix
def test_tiles_of_a_worker_that_is_killed_are_done_by_others(tmp_path, scene, cluster, monkeypatch):
    held = lose_one(cluster, monkeypatch)
    assert_same(fused(tmp_path, scene, cluster), scene[3])
    assert held[0] > 0
    cluster.wait_for_workers(2, timeout=120)


@posix
def test_tiles_that_end_their_workers_end_the_run(tmp_path, scene, cluster, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    held = lose_one(cluster, monkeypatch)
    told = refused(tmp_path, scene, cluster.scheduler_address, resumable=False)
    assert "ended before it was done" in told
    assert held[0] > 0
    cluster.wait_for_workers(2, timeout=120)


def lose_one(cluster, monkeypatch):
    """Stop a worker before the first tile, and kill it when it was given some; how many."""
    nanny, real, held = cluster.workers[0], client.Cluster.tiles, []

    def kill():
        for _ in range(100):
            given = cluster.scheduler.workers[nanny.worker_address].processing
            if given:
                break
            time.sleep(0.05)
        held.append(len(given))
        os.kill(nanny.pid, signal.SIGKILL)

    def tiles(*given):
        os.kill(nanny.pid, signal.SIGSTOP)
        threading.Thread(target=kill).start()
        return real(*given)

    monkeypatch.setattr(client.Cluster, "tiles", tiles)
    return held


@posix
def test_a_run_that_is_cancelled_leaves_the_cluster_free_and_is_gone_on_from(
    tmp_path, scene, cluster
):
    usual = settings(tmp_path, scene[2], device="cpu", confidence=None, resumable=True)
    sources, output = map(RasterSource, scene[:2]), str(tmp_path / "fused.tif")
    usual |= {"dask_scheduler": cluster.scheduler_address, "tile_size": 64}
    request = FuseRequest("0123abcd", *sources, output, **usual)
    said = ended_at(request, "tile 2 of 4", lambda engine: engine.stdin.close())
    assert "tile 2 of 4" in said
    assert os.listdir(tmp_path) == ["fused.tif.rasd-resume"]
    deadline = time.monotonic() + 30
    while cluster.scheduler.tasks and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not cluster.scheduler.tasks
    here = settings(tmp_path, scene[2], confidence=None, resumable=True)
    result = run(tmp_path, *scene[:2], **here)
    np.testing.assert_array_equal(result.bands, scene[3].bands)
    assert os.listdir(tmp_path) == ["fused.tif"]


def test_a_tile_that_had_landed_whole_is_not_fused_again(tmp_path, scene, cluster, monkeypatch):
    def cut(mosaic, number, *given):
        if number == 1:
            raise Cut
        add(mosaic, number, *given)

    usual, add = {"confidence": None, "resumable": True}, Mosaic.add
    with monkeypatch.context() as patch:
        patch.setattr(Mosaic, "add", cut)
        with pytest.raises(Cut):
            fused(tmp_path, scene, cluster, **usual)
    (landed,) = tmp_path.glob("*.rasd-resume/tile-*-000001.safetensors")
    with safe_open(landed, framework="pt") as file:
        values, noted = file.get_tensor("values"), file.metadata()
    values[:-1] += 1000
    save_file({"values": values}, landed, noted)
    storage = Storage(str(landed.parent))
    assert storage.note(landed.name, 4 * values.numel()) == noted
    assert storage.note(landed.name, 4 * values.numel() + 1) is None
    changed = fused(tmp_path, scene, cluster, **usual).bands - scene[3].bands
    assert 900 < changed.max() <= 1001
    assert os.listdir(tmp_path) == ["fused.tif"]


def test_what_a_dead_run_left_in_the_storage_goes_by_request_and_by_age(
    tmp_path, scene, cluster, monkeypatch
):
    shared, out = tmp_path / "shared", tmp_path / "out"
    shared.mkdir(), out.mkdir()
    usual = {"confidence": None, "resumable": True, "dask_storage": str(shared)}

    def cut_at(tile, name):
        def cut(mosaic, number, *given):
            if number == tile:
                raise Cut
            add(mosaic, number, *given)

        with monkeypatch.context() as patch:
            patch.setattr(Mosaic, "add", cut)
            with pytest.raises(Cut):
                fused(out, scene, cluster, output=str(out / name), **usual)

    add = Mosaic.add
    cut_at(2, "fused.tif")
    (first,) = shared.iterdir()
    cut_at(2, "other.tif")
    assert len(list(shared.iterdir())) == 2
    assert_same(fused(out, scene, cluster, **usual), scene[3])
    (second,) = shared.iterdir()
    assert second != first
    note = second / "rasd-run.json"
    old = {**json.loads(note.read_text()), "time": time.time() - (KEPT_DAYS + 1) * 86_400}
    note.write_text(json.dumps(old))
    mine = shared / f"rasd-{'0' * 16}"
    mine.mkdir()
    (mine / "tile.txt").write_text("not the engine's")
    fused(out, scene, cluster, **usual)
    assert list(shared.iterdir()) == [mine]


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_only_folders_of_runs_that_nobody_uses_are_swept(tmp_path, scheme, monkeypatch):
    top, now = f"{scheme}{tmp_path}", [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    used, unused = (Storage(f"{top}/rasd-{digit * 16}", make=True) for digit in "ab")
    unused.put("tile-1", b"x")
    now[0] += 10 * 86_400
    used.note_use()
    assert Storage(top).sweep(14) == []
    now[0] += 5 * 86_400
    assert Storage(top).sweep(14) == ["rasd-" + "b" * 16]
    assert Storage(top).sweep(14) == [] and Storage(f"{top}/none").sweep(14) == []
    with pytest.raises(FileNotFoundError):
        unused.get("tile-1")
    assert used.get("rasd-run.json")


def test_a_worker_that_cannot_read_the_inputs_says_so(tmp_path, scene, cluster):
    with rasterio.open(scene[0]) as dataset, MemoryFile() as held:
        with held.open(**dataset.profile) as copy:
            copy.write(dataset.read())
        told = refused(tmp_path, (held.name, *scene[1:]), cluster.scheduler_address)
    assert "The Dask worker tcp://" in told and "cannot read the inputs" in told


@pytest.mark.parametrize(
    ("storage", "who"),
    [
        ("memory://rasd", "The Dask worker tcp://"),
        ("nosuch://bucket", "The shared storage nosuch://bucket/rasd-"),
    ],
)
def test_a_storage_that_is_not_shared_is_refused(tmp_path, scene, cluster, storage, who):
    told = refused(tmp_path, scene, cluster.scheduler_address, dask_storage=storage)
    assert told.startswith(who) and "DASK_STORAGE" in told


def test_a_worker_with_another_version_of_the_engine_says_so(cluster):
    with distributed.Client(cluster, set_as_default=False) as own:
        answers = own.submit(arrival.call, client.ROOT, "0" * 16, "memory://rasd", "").result()
    assert "another version" in answers["error"][1] or "cannot load" in answers["error"][1]


def test_a_worker_without_the_plugin_s_folder_unpacks_its_code(tmp_path):
    digest = arrival.digest_of(client.ROOT)
    packed = tmp_path / f"code-{digest}.zip"
    packed.write_bytes(arrival.archive(client.ROOT))
    program = (
        "import sys, runpy\n"
        "load = runpy.run_path(sys.argv[1])['_load']\n"
        "load('/nowhere', sys.argv[2], sys.argv[3])\n"
        "import rasd_fusion.rasd_qgis.engine.cluster.worker as worker\n"
        "print(worker.__file__)\n"
    )
    command = [sys.executable, "-I", "-c", program, arrival.__file__, digest, str(tmp_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert Path(ended.stdout.strip()).is_relative_to(tmp_path), ended.stderr
    with zipfile.ZipFile(packed, "a") as archived:
        archived.writestr("models/more.py", "")
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "is not whole" in ended.stderr


def test_what_is_missing_is_told_with_how_to_get_it(tmp_path, scene, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = refused(tmp_path, scene, "tcp://127.0.0.1:8786")
    assert "lacks distributed" in told
    assert "pip install" in told and "requirements-cluster.txt" in told


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, scene, monkeypatch):
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.5)
    told = refused(tmp_path, scene, "tcp://127.0.0.1:9")
    assert told.startswith("No Dask scheduler answers at tcp://127.0.0.1:9")


@pytest.mark.parametrize("address", ["head", "http://head:80", "tcp://head", "a b:1", "", 8786])
def test_an_address_that_is_none_is_refused(address):
    sources = RasterSource("hs.tif"), RasterSource("ms.tif")
    with pytest.raises(RequestError):
        FuseRequest("0123abcd", *sources, "out.tif", dask_scheduler=address)
