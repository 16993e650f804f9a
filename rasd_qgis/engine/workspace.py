"""The workspace: a folder beside the output for what a run keeps on disk while it goes on."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..contract.errors import OutputError


@contextlib.contextmanager
def workspace(output: str, run_id: str) -> Iterator[Path]:
    """A new folder beside an output, under a hidden name of the run's; it goes with the context.

    What fails to be written within is told as an OutputError.
    """
    path = Path(output)
    folder = path.with_name(f".{path.stem}.rasd-{run_id}.spool")
    with told(path):
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def told(output: Path) -> Iterator[None]:
    """Turn the system's refusal to write beside an output into the analyst's words."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"What the run keeps beside {output.name} could not be written "
            f"({error.strerror or str(error)[:200]}).",
            "Free space in that folder, or choose another one: for a while it holds as much as the "
            "output uncompressed.",
        ) from error
