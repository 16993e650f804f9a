"""Where compiled kernels are kept between runs: a private folder in the user's cache."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path


def kernel_cache(named: str) -> Path | None:
    """The folder for kernels of this very source, made if need be; None if it cannot be written.

    named: where the user wants numba's caches, or "". Compiled kernels are unpickled when loaded,
    so a folder that others may write is refused.
    """
    parent = Path(named) if named else _user_cache() / "rasd-fusion" / "kernels"
    folder = parent / _digest()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return None
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        return None
    return folder if os.access(folder, os.W_OK) else None


def _digest() -> str:
    """Of every source of the rooms with kernels: numba looks at a kernel's own file alone."""
    here = Path(__file__).parent
    rooms = (here, here.parent / "kernels")
    sources = sorted(
        path for room in rooms for kind in ("*.py", "*.cu") for path in room.glob(kind)
    )
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
