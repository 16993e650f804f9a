"""Graphs: the network's kernels recorded once for a shape of tile, and started all at once after.

An eager forward gives an NVIDIA card thousands of kernels one by one; a CUDA graph gives them in
one call. It is taken where the set-up's self-test found, for this card and software, that it gives
the same bits in less time. Each recording is held to the eager result of a tile before it is used,
and whatever fails leaves the network as it is, with a line in the log. This was never run on a
card: its tests put a recorder of their own in CUDA's place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ....models import Fused, RASDFuNet
from ..service import precision
from ..service.copies import alone

KIND = "graphs"
RATIO = 0.5
# Shapes: a scene's tiles differ by a few pixels, by two sizes or so an axis.
KEPT = 4

Log = Callable[[str], None]


@dataclass(frozen=True)
class Recording:
    """start, guide: what `replay` reads. fused: what it writes, each time to the same place."""

    start: Tensor
    guide: Tensor
    fused: Fused
    replay: Callable[[], None]

    def play(self, start: Tensor, guide: Tensor) -> Fused:
        """What the network gives for images of the recorded shape, in memory of its own."""
        self.start.copy_(start)
        self.guide.copy_(guide)
        self.replay()
        image, confidence, share = self.fused
        return Fused(image.clone(), confidence.clone(), share)


def record(network: RASDFuNet, start: Tensor, guide: Tensor, ratio: float) -> Recording:
    """The network on images of this shape as a CUDA graph; RuntimeError where it cannot be one."""
    # Zeros: a value that went into the graph instead of through it would show on any tile.
    start, guide = torch.zeros_like(start), torch.zeros_like(guide)
    graph, stream = torch.cuda.CUDAGraph(), _stream(start.device)
    stream.wait_stream(torch.cuda.current_stream(start.device))
    # This stream context is the one that is sure to end where a recording fails.
    with alone, torch.cuda.stream(stream):
        # Kernels are loaded, and the scan chosen, at a first call, which no graph can hold.
        network(start, guide, ratio)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            fused = network(start, guide, ratio)
    torch.cuda.current_stream(start.device).wait_stream(stream)
    return Recording(start, guide, fused, graph.replay)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all recordings: libraries keep a workspace for every stream that they meet."""
    return torch.cuda.Stream(device)


def roomy(device: torch.device) -> bool:
    """Whether twice what is taken is free on the card: a graph keeps what a forward needs."""
    free, _ = torch.cuda.mem_get_info(device)
    return free >= 2 * torch.cuda.memory_reserved(device)


class Graphs:
    """A network without gradients, called as it is itself: a shape is recorded when it comes again.

    A result is an eager forward's, or of a graph that gave the bits of one.
    """

    def __init__(
        self,
        network: RASDFuNet,
        log: Log,
        record: Callable[..., Recording] = record,
        roomy: Callable[[torch.device], bool] = roomy,
    ) -> None:
        self._network, self._log, self._record, self._roomy = network, log, record, roomy
        self._kept: OrderedDict[tuple[torch.Size, float], Recording] = OrderedDict()
        self._seen: set[tuple[torch.Size, float]] = set()
        self._holds = not network.training

    def __call__(self, start: Tensor, guide: Tensor, ratio: float, auto: bool = False) -> Fused:
        """As `RASDFuNet.forward`; auto asks the card how many points go where: no graph can."""
        if auto or not self._holds or torch.is_grad_enabled():
            return self._network(start, guide, ratio, auto)
        try:
            return self._played(start, guide, ratio)
        except (RuntimeError, ArithmeticError) as error:
            why = str(error).split("\n")[0]
        # Only now, without the error, is free what it held.
        self._holds = False
        self._kept.clear()
        self._log(f"CUDA graphs are not used any more: {why}")
        return self._network(start, guide, ratio)

    def _played(self, start: Tensor, guide: Tensor, ratio: float) -> Fused:
        shape = start.shape, ratio
        if shape in self._kept:
            self._kept.move_to_end(shape)
            return self._kept[shape].play(start, guide)
        fused = self._network(start, guide, ratio)
        if shape in self._seen and self._roomy(start.device):
            while len(self._kept) >= KEPT:
                self._kept.popitem(last=False)
            recording = self._record(self._network, start, guide, ratio)
            if not _same(recording.play(start, guide), fused):
                raise ArithmeticError("a graph does not give the pixels that it was recorded from")
            self._kept[shape] = recording
        self._seen.add(shape)
        return fused


def _same(a: Fused, b: Fused) -> bool:
    return torch.equal(a.image, b.image) and torch.equal(a.confidence, b.confidence)


def graphs_for(network: RASDFuNet, device: torch.device, log: Log) -> Graphs | None:
    """The network as graphs, where the self-test found them to hold on this device."""
    found = device.type == "cuda" and precision.remembered(device, KIND)
    return Graphs(network, log) if found else None


def find(
    device: torch.device, log: Log, record: Callable[..., Recording] = record
) -> precision.Trial | None:
    """Try a graph on this card, and remember whether it holds; None where it fails."""
    # It stands where the trial ends the process.
    precision.remember(device, KIND, False)
    try:
        with torch.inference_mode():
            trial = _tried(device, record)
    except Exception as error:  # drivers and libraries fail in many ways
        log(f"No CUDA graphs: {type(error).__name__} {error}"[:300])
        return None
    precision.remember(device, KIND, trial.holds(most=0.0))
    log(f"CUDA graphs: {trial.gain:.2f} times as fast, the image changes by {trial.change:.1e}")
    return trial


def _tried(device: torch.device, record: Callable[..., Recording]) -> precision.Trial:
    network, start, guide = precision.sample(device)
    recording, recorded = record(network, start, guide, RATIO), False

    def image() -> Tensor:
        fused = recording.play(start, guide) if recorded else network(start, guide, RATIO)
        return fused.image

    def switch(on: bool) -> None:
        nonlocal recorded
        recorded = on

    return precision.tried(image, switch, device)
