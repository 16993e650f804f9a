"""Graphs and copies beside the network: when they are taken, held to what, and how they fail.

No CUDA here: another recorder stands in the place of graphs, and other streams in the place of a
card's. That the engine goes on with the eager network, to the same bits, is real.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rasd_fusion.models import RASDConfig, RASDFuNet
from rasd_fusion.models.scan import choice
from rasd_fusion.rasd_qgis.engine import pipeline
from rasd_fusion.rasd_qgis.engine.scene import graphs
from rasd_fusion.rasd_qgis.engine.service import copies, precision

from .scenes import make_scene, run

CPU = torch.device("cpu")


class Recorder:
    """Records as CUDA does: the same memory is read and written at each replay."""

    def __init__(self, wrong: float = 0.0, fails: BaseException | None = None) -> None:
        self.recorded, self.replays, self.wrong, self.fails = [], 0, wrong, fails

    def __call__(self, network, start, guide, ratio):
        self.recorded.append((tuple(start.shape[2:]), ratio))
        start, guide = torch.zeros_like(start), torch.zeros_like(guide)
        fused = network(start, guide, ratio)

        def replay():
            if self.fails:
                raise self.fails
            self.replays += 1
            made = network(start, guide, ratio)
            fused.image.copy_(made.image + self.wrong)
            fused.confidence.copy_(made.confidence)

        return graphs.Recording(start, guide, fused, replay)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return RASDFuNet(RASDConfig(4, 2, channels=8, stages=1)).eval()


def tile(height, width=16, seed=0):
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(1, bands, height, width, generator=random) for bands in (4, 2))


def through(network, recorder, tiles, *, room=True, auto=False, ratio=0.5):
    """The tiles through graphs, each held to the eager network's bits; the log."""
    log = []
    drawn = graphs.Graphs(network, log.append, recorder, lambda device: room)
    with torch.inference_mode():
        found = [drawn(*pair, ratio, auto) for pair in tiles]
        for fused, pair in zip(found, tiles):
            wanted = network(*pair, ratio, auto)
            assert torch.equal(fused.image, wanted.image)
            assert torch.equal(fused.confidence, wanted.confidence)
            assert fused.low_rank_share == wanted.low_rank_share
    return log


def test_a_shape_that_comes_again_is_recorded_once_and_played_after(network):
    recorder = Recorder()
    assert through(network, recorder, [tile(16, seed=n) for n in range(5)] + [tile(24)]) == []
    assert recorder.recorded == [((16, 16), 0.5)]
    assert recorder.replays == 1 + 3


def test_few_recordings_are_kept_the_oldest_go(network):
    recorder, heights = Recorder(), [16 + 8 * n for n in range(graphs.KEPT + 1)]
    through(network, recorder, [tile(h) for h in heights for _ in range(2)] + [tile(32), tile(16)])
    assert [shape[0] for shape, _ in recorder.recorded] == [*heights, 16]


@pytest.mark.parametrize(
    ("recorder", "told"),
    [
        (Recorder(wrong=1e-6), "does not give the pixels"),
        (Recorder(fails=RuntimeError("CUDA error: capture\nCompile with")), "CUDA error: capture"),
        (Recorder(fails=torch.OutOfMemoryError("CUDA out of memory.")), "out of memory"),
    ],
)
def test_what_fails_or_differs_is_not_used_again(network, recorder, told):
    log = through(network, recorder, [tile(16, seed=n) for n in range(4)])
    assert len(recorder.recorded) == len(log) == 1
    assert told in log[0]
    assert "Compile" not in log[0]


def test_a_replay_that_fails_later_frees_all_and_the_tile_is_fused_all_the_same(network):
    recorder, log = Recorder(), []
    drawn = graphs.Graphs(network, log.append, recorder, lambda device: True)
    with torch.inference_mode():
        for seed in range(3):
            drawn(*tile(16, seed=seed), 0.5)
        recorder.fails = torch.OutOfMemoryError("CUDA out of memory.")
        assert torch.equal(drawn(*tile(16), 0.5).image, network(*tile(16), 0.5).image)
    assert not drawn._kept
    assert len(log) == 1


def test_no_memory_to_halve_tiles_is_left_to_who_halves_them():
    def network(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    network.training = False
    with torch.inference_mode(), pytest.raises(torch.OutOfMemoryError):
        graphs.Graphs(network, print, Recorder())(*tile(16), 0.5)


def test_routing_by_content_little_room_and_gradients_have_none(network):
    recorder, tiles = Recorder(), [tile(16)] * 3
    through(network, recorder, tiles, auto=True)
    through(network, recorder, tiles, room=False)
    for _ in range(3):
        graphs.Graphs(network, print, recorder, lambda device: True)(*tile(16), 0.5)
    assert recorder.recorded == []


@pytest.fixture
def remembering(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "kernel_cache", lambda named: tmp_path)
    monkeypatch.setattr(precision, "SIDE", 16)
    monkeypatch.setattr(precision, "_least_seconds", lambda *_: next(seconds))
    seconds = iter([2.0, 1.0] * 3)


def test_the_self_test_remembers_a_graph_only_with_the_same_bits(remembering):
    log = []
    assert not precision.remembered(CPU, graphs.KIND)
    assert graphs.find(CPU, log.append, Recorder()).gain == 2.0
    assert precision.remembered(CPU, graphs.KIND)
    assert not precision.remembered(CPU)
    assert graphs.find(CPU, log.append, Recorder(wrong=1e-6)).change > 0
    assert not precision.remembered(CPU, graphs.KIND)
    assert len(log) == 2


def test_a_trial_that_fails_or_ends_the_process_leaves_no(remembering):
    log = []
    precision.remember(CPU, graphs.KIND, True)
    assert graphs.find(CPU, log.append, Recorder(fails=RuntimeError("no such graph"))) is None
    assert not precision.remembered(CPU, graphs.KIND)
    assert "no such graph" in log[0]
    precision.remember(CPU, graphs.KIND, True)
    with pytest.raises(SystemExit):
        graphs.find(CPU, log.append, Recorder(fails=SystemExit()))
    assert not precision.remembered(CPU, graphs.KIND)


def test_a_scene_fused_by_graphs_has_the_same_pixels(tmp_path, monkeypatch):
    # four tiles of one size
    made, recorder = make_scene(tmp_path, 208, 4.0), Recorder()
    model = str(tmp_path / "model.safetensors")
    paths = made.write_hs(), made.write_ms(made.ms)
    run(tmp_path, *paths, training_steps=2, model_output=model)
    settings = {"model": "file", "model_file": model, "tile_size": 192}
    eager = run(tmp_path, *paths, **settings)
    monkeypatch.setattr(
        pipeline,
        "graphs_for",
        lambda network, device, log: graphs.Graphs(network, log, recorder, lambda _: True),
    )
    drawn = run(tmp_path, *paths, **settings)
    assert recorder.recorded == [((136, 136), 0.5)]
    assert recorder.replays == 1 + 2
    np.testing.assert_array_equal(drawn.bands, eager.bands)


def test_a_processor_has_neither_graphs_nor_streams(network):
    assert graphs.graphs_for(network, CPU, print) is None
    assert copies.beside(len, list, CPU) is len
    values = np.arange(6.0).reshape(2, 3)
    assert copies.sent(values, CPU).data_ptr() == values.ctypes.data


def test_a_tile_is_complete_and_the_readers_before_it_is_handed_over(monkeypatch):
    calls = []
    own = SimpleNamespace(synchronize=lambda: calls.append("wait"))

    @contextmanager
    def within(stream):
        assert stream is own
        calls.append("enter")
        yield
        calls.append("leave")

    tensor = SimpleNamespace(record_stream=lambda stream: calls.append(f"for {stream}"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: own)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "the network's")
    monkeypatch.setattr(torch.cuda, "stream", within)

    def read(place):
        assert copies.alone.locked()
        calls.append("read")
        return [tensor, tensor]

    made = copies.beside(read, list, torch.device("cuda"))("a place")
    assert made == [tensor, tensor]
    assert not copies.alone.locked()
    assert calls == ["enter", "read", "wait", *["for the network's"] * 2, "leave"]


def test_a_recording_is_made_on_its_stream_after_a_first_call_and_leaves_it(network, monkeypatch):
    """The order of the calls alone, with nothing behind them."""
    calls = []

    @contextmanager
    def told(name, *given, **settings):
        calls.append((name, *settings.values()))
        yield
        calls.append(f"end {name}")

    def runs(*given):
        calls.append("network")
        return network(*given)

    def stream(name):
        return SimpleNamespace(wait_stream=lambda other: calls.append(f"{name} waits"))

    drawn = SimpleNamespace(replay=lambda: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: drawn)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream("usual"))
    monkeypatch.setattr(torch.cuda, "stream", lambda own: told("stream"))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **settings: told("graph", **settings))
    own = stream("own")
    monkeypatch.setattr(graphs, "_stream", lambda device: own)
    with torch.inference_mode():
        graphs.record(runs, *tile(16), 0.5)
    within = ["network", ("graph", own, "thread_local"), "network", "end graph"]
    assert calls == ["own waits", ("stream",), *within, "end stream", "usual waits"]
    assert not copies.alone.locked()
