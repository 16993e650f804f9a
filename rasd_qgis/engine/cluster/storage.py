"""Storage: a folder, or what fsspec takes for one, that this machine and all workers share.

Where it is not the run's own folder, runs have folders in it, `rasd-<name>`. Each holds a note of
when somebody last worked with it, as not every file system tells a file's age; a later run in the
same storage removes those that have been left for too long.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import time
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

# Every file system has errors of its own; those of a missing driver or address are these.
ERRORS = (OSError, ValueError, ImportError)
# Of a safetensors file: its header's length, in bytes, and the longest header that is ours.
_LENGTH, _MOST_HEADER = 8, 2**20
FORMAT = "rasd-fusion-storage-1"
_NOTE, _OURS = "rasd-run.json", re.compile("rasd-[0-9a-f]{16}")
# How often a run that goes on says so.
_NOTE_SECONDS = 3600


class Storage:
    """Files by name. Raises the file system's errors.

    place: a folder's path, or a URL such as s3://bucket/run. make: have it there if it is not, as a
    folder of ours.
    """

    def __init__(self, place: str, make: bool = False) -> None:
        self.place = place
        self._files, self._root = url_to_fs(place)
        self._local = isinstance(self._files, LocalFileSystem)
        self._next_note = math.inf
        if make:
            self._files.makedirs(self._root, exist_ok=True)
            self._next_note = 0.0
            self.note_use()

    def note_use(self) -> None:
        """Note that a run works in a folder of ours now, if that was not noted within the hour."""
        if time.monotonic() >= self._next_note:
            self.put(_NOTE, json.dumps({"format": FORMAT, "time": time.time()}).encode())
            self._next_note = time.monotonic() + _NOTE_SECONDS

    def put(self, name: str, content: bytes) -> None:
        """Write a file; it is there whole or not at all. A folder that was removed is not made."""
        path = self._path(name)
        if not self._local:
            self._files.pipe_file(path, content)
            return
        part = f"{path}.{os.getpid()}.part"
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    def get(self, name: str) -> bytes:
        """What a file holds."""
        return bytes(self._files.cat_file(self._path(name)))

    def note(self, name: str, size: int) -> dict[str, Any] | None:
        """The metadata of a safetensors file of one tensor of `size` bytes; None if not whole."""
        path = self._path(name)
        try:
            held = int(self._files.size(path) or 0)
            with self._files.open(path, "rb") as file:
                length = int.from_bytes(file.read(_LENGTH), "little")
                if length > _MOST_HEADER or held != _LENGTH + length + size:
                    return None
                return dict(json.loads(file.read(length))["__metadata__"])
        except (*ERRORS, KeyError, TypeError):
            return None

    def remove(self, name: str) -> None:
        """Remove a file that is there."""
        self._files.rm_file(self._path(name))

    def clear(self) -> None:
        """Remove all that is there, and the place itself."""
        if self._files.exists(self._root):
            self._files.rm(self._root, recursive=True)

    def sweep(self, days: float) -> list[str]:
        """Remove the runs' folders in this place that nobody has used for so long; their names.

        What cannot be read or removed stays: another run may be at it.
        """
        with contextlib.suppress(*ERRORS):
            self._files.invalidate_cache()
            found = [path.rstrip("/") for path in self._files.ls(self._root, detail=False)]
            names = [path.rpartition("/")[2] for path in found]
            left = filter(lambda name: self._unused(name) > days * 86_400, names)
            return [name for name in left if self._gone(name)]
        return []

    def _unused(self, name: str) -> float:
        """Seconds since a run noted that it used a folder; 0 where that is none of ours."""
        with contextlib.suppress(*ERRORS, KeyError, TypeError):
            if _OURS.fullmatch(name):
                note = json.loads(self.get(f"{name}/{_NOTE}"))
                if note["format"] == FORMAT:
                    return time.time() - float(note["time"])
        return 0.0

    def _gone(self, name: str) -> bool:
        """Remove a folder; whether that went."""
        with contextlib.suppress(*ERRORS):
            self._files.rm(self._path(name), recursive=True)
            return True
        return False

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"
