"""The trade: what the routing ratio costs and gains, as it was measured.

The curves stand in resources/curves/routing.json, which `python benchmarks routing-curve` writes.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...processing.translation import tr

CURVES = Path(__file__).resolve().parents[2] / "resources" / "curves" / "routing.json"


@dataclass(frozen=True)
class Curves:
    """By ratio, rising: the network's time and memory relative to ratio 0, and PSNR in dB."""

    scene: str
    ratios: tuple[float, ...]
    time: tuple[float, ...]
    memory: tuple[float, ...]
    psnr: tuple[float, ...]

    def at(self, values: tuple[float, ...], ratio: float) -> float:
        """One of the curves between its points, straight from one to the next."""
        i = min(max(bisect_right(self.ratios, ratio), 1), len(self.ratios) - 1)
        left, right = self.ratios[i - 1], self.ratios[i]
        share = (ratio - left) / (right - left)
        return values[i - 1] + share * (values[i] - values[i - 1])


@lru_cache(maxsize=1)
def load_curves() -> Curves:
    """The measured curves."""
    data = json.loads(CURVES.read_text("utf-8"))
    columns = {name: tuple(data[name]) for name in ("ratios", "time", "memory", "psnr")}
    return Curves(scene=data["scene"], **columns)


def describe_trade(ratio: float, curves: Curves) -> str:
    """What a ratio means, in one line."""
    loss = max(curves.psnr) - curves.at(curves.psnr, ratio)
    text = tr(
        "{share} of the points through the low-rank branch; network time {time}, memory {memory}, "
        "expected loss {loss:.2f} dB"
    )
    return text.format(
        share=f"{100 * ratio:.0f} %",
        time=_change(curves.at(curves.time, ratio)),
        memory=_change(curves.at(curves.memory, ratio)),
        loss=loss,
    )


def _change(factor: float) -> str:
    percent = round(100 * (factor - 1))
    if percent == 0:
        return tr("unchanged")
    return f"−{-percent} %" if percent < 0 else f"+{percent} %"
