"""Ahead: what the next fusion will need, loaded by a thread while something else is waited for."""

from __future__ import annotations

import contextlib
import importlib

from .stages import start


def load_ahead() -> None:
    """Begin to load the pipeline and, where the processor computes, the compiled kernels."""
    with contextlib.suppress(MemoryError):
        start(_load)


def _load() -> None:
    # Whatever is wrong here, the run that needs it meets it again and tells.
    with contextlib.suppress(Exception):
        importlib.import_module("..pipeline", __package__)
        device = importlib.import_module(".device", __package__)
        if device.available() == ["cpu"]:
            importlib.import_module("....models.scan.fused", __package__).compiled()
            importlib.import_module("....models.kernels", __package__).compiled()
