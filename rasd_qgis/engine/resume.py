"""Resuming: what a run that was cut short leaves to the next one of the same request.

Requests are the same where all that the pixels hang on is: settings, files, versions, device. The
journal says which tiles are finished, and what had been found out by then; a line is written when
everything that it speaks of has reached the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..contract.request import FuseRequest
from .model.obtain import BUNDLED
from .rasters import durable
from .rasters.align import Alignment
from .rasters.facts import file_facts, raster_facts
from .service.device import versions

# Fields of a request that its pixels do not hang on.
_NO_MATTER = {"run_id", "provenance", "resumable", "dask_scheduler", "dask_storage"}
_NO_MATTER |= set(FuseRequest.outputs)


class Journal:
    """The finished tiles, in order: a line of JSON each, in a file of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "journal.jsonl"

    def read(self, model: str) -> list[dict[str, Any]]:
        """The records of the finished tiles; [] where one is of another model or lacks a file.

        A line that was cut short is left out. Later tiles need what was dropped after earlier ones,
        so it is all of them or none.
        """
        records = self._whole_lines()
        whole = all(r.get("model") == model and self._holds(r.get("files", {})) for r in records)
        if not whole or (records and not self._holds(records[-1].get("handed", {}), grown=True)):
            self.clear()
            return []
        lines = "".join(json.dumps(record) + "\n" for record in records)
        durable.write(self._path, lines.encode())
        return records

    @property
    def tile_size(self) -> int | None:
        """Of the tiles that are noted; None where there are none."""
        records = self._whole_lines()
        return int(records[0]["tile_size"]) if records else None

    def add(self, record: Mapping[str, Any], files: list[Path], handed: list[Path]) -> None:
        """Note a tile: its files, and those that wait for later tiles, are on the disk."""
        sizes = {
            kind: {path.name: path.stat().st_size for path in paths}
            for kind, paths in (("files", files), ("handed", handed))
        }
        with open(self._path, "ab") as file:
            file.write(json.dumps({**record, **sizes}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Begin anew."""
        self._path.unlink(missing_ok=True)

    def _whole_lines(self) -> list[dict[str, Any]]:
        """All lines but the last, if it was still being written."""
        if not self._path.is_file():
            return []
        text = self._path.read_text(encoding="utf-8", errors="replace")
        try:
            return [dict(json.loads(line)) for line in text.split("\n")[:-1]]
        except (ValueError, TypeError):
            return []

    def _holds(self, sizes: Mapping[str, int], grown: bool = False) -> bool:
        """Whether files are there and whole. grown: what later tiles hand on may have followed."""
        paths = {self._folder / Path(name).name: size for name, size in sizes.items()}
        if not all(path.is_file() for path in paths):
            return False
        return all(
            path.stat().st_size == size or (grown and path.stat().st_size > size)
            for path, size in paths.items()
        )


def request_key(request: FuseRequest, pair: Alignment, device: torch.device) -> str:
    """What all requests share whose pixels are the same, as hexadecimal digits."""
    facts = {
        "request": {key: v for key, v in asdict(request).items() if key not in _NO_MATTER},
        "maps": [bool(request.confidence), bool(request.uncertainty)],
        "plugin": request.provenance.get("plugin"),
        "versions": versions(),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "rasters": [raster_facts(raster) for raster in (pair.hs, pair.ms)],
        "models": [file_facts(name) for name in (request.model_file, str(BUNDLED)) if name],
        # What benchmarks ask of the engine.
        "asked": sorted(item for item in os.environ.items() if item[0].startswith("RASD_FUSION_")),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
