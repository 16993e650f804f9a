"""Lighter: what to choose so that a run takes less memory, in words that its algorithm knows."""

from __future__ import annotations

_TILES = "Choose a smaller TILE_SIZE"
_BY_TASK = {
    "fuse": _TILES,
    "confidence": _TILES,
    "train": "Train on fewer images or, where it is another, with PRESET laptop",
    "simulate": "Choose a smaller EXTENT",
}


def lighter(task: str) -> str:
    """The beginning of an advice to whoever ran out of memory; task: as requests name theirs."""
    return _BY_TASK.get(task, "Take smaller layers")
