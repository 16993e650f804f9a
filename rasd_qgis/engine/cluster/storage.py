"""Storage: a folder, or what fsspec takes for one, that this machine and all workers share."""

from __future__ import annotations

import json
import os
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

# Every file system has errors of its own; those of a missing driver or address are these.
ERRORS = (OSError, ValueError, ImportError)
# Of a safetensors file: its header's length, in bytes, and the longest header that is ours.
_LENGTH, _MOST_HEADER = 8, 2**20


class Storage:
    """Files by name. Raises the file system's errors.

    place: a folder's path, or a URL such as s3://bucket/run. make: have it there if it is not.
    """

    def __init__(self, place: str, make: bool = False) -> None:
        self.place = place
        self._files, self._root = url_to_fs(place)
        self._local = isinstance(self._files, LocalFileSystem)
        if make:
            self._files.makedirs(self._root, exist_ok=True)

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

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"
