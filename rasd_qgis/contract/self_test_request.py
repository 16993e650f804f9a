"""The request of a self-test: the engine fuses a tiny pair of its own making on each device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class SelfTestRequest:
    """Fuse a tiny pair on every device; nothing is written but to a temporary folder."""

    task: ClassVar[str] = "selftest"
    sources: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ()
