"""Precision: whether an NVIDIA card may multiply in TF32, found by the self-test and remembered.

A trial is of anything that can be switched: what it changes of the network's image, and what time
it gains (`scene/graphs.py` has another). TF32 keeps ten bits of each factor. It is taken where the
image changes by at most LARGEST_CHANGE of its range and the time falls; unless a self-test found
that, single precision stays. This was never run on a card: its tests switch something else in
TF32's place, on a processor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ....models import RASDConfig, RASDFuNet, choice

TF32 = "tf32"
LARGEST_CHANGE = 1e-3
LEAST_GAIN = 1.1  # times as fast: less is not worth a bit
SIDE, BANDS, GUIDE_BANDS, REPEATS = 256, 31, 3, 3

Switch = Callable[[bool], None]


@dataclass(frozen=True)
class Trial:
    """change: the largest of the image, over its range; gain: how many times as fast."""

    change: float
    gain: float

    def holds(self, most: float = LARGEST_CHANGE) -> bool:
        """Whether it is accurate enough and worth it; a NaN is not."""
        return self.change <= most and self.gain >= LEAST_GAIN


def set_tf32(on: bool) -> None:
    """For convolutions and matrix products of this process."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = on


def remembered(device: torch.device, kind: str = TF32) -> bool:
    """Whether a self-test with this card and software found that it holds."""
    file = choice.memory(device, kind)
    try:
        return file is not None and file.read_text(encoding="ascii") == "yes"
    except OSError:
        return False


def remember(device: torch.device, kind: str, holds: bool) -> None:
    """Keep what a self-test found, for later processes with this card and software."""
    choice.remember(choice.memory(device, kind), "yes" if holds else "no")


def sample(device: torch.device) -> tuple[RASDFuNet, Tensor, Tensor]:
    """What is tried: a fresh network, a start and a guide, (1, bands, SIDE, SIDE) in 0…1."""
    torch.manual_seed(0)
    network = RASDFuNet(RASDConfig(BANDS, GUIDE_BANDS)).to(device).eval()
    start, guide = (torch.rand(1, b, SIDE, SIDE).to(device) for b in (BANDS, GUIDE_BANDS))
    return network, start, guide


def find(device: torch.device) -> Trial:
    """Try TF32 on the network, remember whether it holds, and leave it set accordingly."""
    network, start, guide = sample(device)

    def image() -> Tensor:
        with torch.inference_mode():
            return network(start, guide, 0.5).image

    trial = tried(image, set_tf32, device)
    set_tf32(trial.holds())
    remember(device, TF32, trial.holds())
    return trial


def tried(image: Callable[[], Tensor], switch: Switch, device: torch.device) -> Trial:
    """Make the image with the switch off and on; it is off in the end."""
    made, seconds = {}, {}
    for on in (False, True):
        switch(on)
        made[on], seconds[on] = image().double(), _least_seconds(image, device)
    switch(False)
    span = (made[False].max() - made[False].min()).clamp_min(1e-30)
    change = float((made[True] - made[False]).abs().max() / span)
    return Trial(change, seconds[False] / seconds[True])


def _least_seconds(image: Callable[[], Tensor], device: torch.device) -> float:
    times = []
    for _ in range(REPEATS):
        choice.finish(device)
        began = time.perf_counter()
        image()
        choice.finish(device)
        times.append(time.perf_counter() - began)
    return min(times)
