"""Durable files: a loss of power leaves the old file or the new one, never a half of either."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Ends the name of a file until it is whole.
PART = ".part"


def replace(part: Path, target: Path) -> None:
    """Give a finished file its name, once all of it has reached the disk. OSError where not."""
    _sync(part, os.O_RDWR)
    os.replace(part, target)
    # Elsewhere the system keeps the order of what happens to a folder.
    if sys.platform != "win32":
        _sync(target.parent, os.O_RDONLY)


def write(target: Path, data: bytes) -> None:
    """Write a file so."""
    part = target.with_name(target.name + PART)
    part.write_bytes(data)
    replace(part, target)


def _sync(path: Path, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
