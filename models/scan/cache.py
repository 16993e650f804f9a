"""Where compiled kernels are kept between runs: a private folder in the user's cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def kernel_cache() -> Path | None:
    """The folder, made if need be and readable by the user alone; None if it cannot be written.

    Compiled kernels are unpickled when loaded, so a folder that others may write is refused.
    """
    folder = _user_cache() / "rasd-fusion" / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        return None
    return folder if os.access(folder, os.W_OK) else None


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
