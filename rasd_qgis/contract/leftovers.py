"""Leftovers: the temporary files of a run that ended before it could remove them.

The engine writes beside its outputs, under hidden names that carry the run's id
(`.<stem>.rasd-<run id>.<rest>`), so exactly these can be told from the analyst's own files.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from .request import Request

# After so many days without a run what is kept to be gone on from is removed by a later one.
KEPT_DAYS = 14


def remove_leftovers(request: Request) -> None:
    """Remove what a run left beside its outputs; what cannot be removed stays."""
    run_id = getattr(request, "run_id", None)
    if run_id is None:
        return
    paths = (getattr(request, name) for name in request.outputs)
    for folder in {Path(path).absolute().parent for path in paths if path}:
        with contextlib.suppress(OSError):
            for path in list(folder.iterdir()):
                if path.name.startswith(".") and f".rasd-{run_id}" in path.name:
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
