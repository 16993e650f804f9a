"""Leftovers: the temporary files of a run that was killed before it could remove them.

The engine writes beside its outputs, under hidden names that carry the run's id
(`.<stem>.rasd-<run id>.<rest>`), so exactly these can be told from the analyst's own files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from ..contract.request import FuseRequest


def output_paths(request: FuseRequest) -> tuple[str, ...]:
    """The paths a run writes to."""
    paths = (request.output, request.confidence, request.model_output)
    return tuple(path for path in paths if path)


def remove_leftovers(run_id: str, outputs: Iterable[str]) -> None:
    """Remove the run's temporary files beside `outputs`; what cannot be removed is left."""
    mark = f".rasd-{run_id}"
    for folder in {Path(output).absolute().parent for output in outputs}:
        with contextlib.suppress(OSError):
            for path in list(folder.iterdir()):
                if path.name.startswith(".") and mark in path.name and not path.is_dir():
                    path.unlink(missing_ok=True)
