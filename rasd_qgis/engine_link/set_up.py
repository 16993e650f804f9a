"""Setting the engine up, as the algorithm and the window do it: with a log, and a self-test."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..contract.errors import EngineBrokenError, RasdError
from ..contract.self_test_request import SelfTestRequest
from . import builds, last_error
from .diagnosis import log_path
from .install import IsCancelled, OnProgress, install
from .process import Feedback, run_engine


def set_up(
    home: Path,
    on_progress: OnProgress,
    is_cancelled: IsCancelled,
    wheels: Path | None = None,
    anew: bool = False,
) -> Path:
    """`install`, with a log beside the engine; what it raises is kept for the diagnosis."""
    lines = [f"{datetime.now(timezone.utc).isoformat(timespec='seconds')} {describe_build()}"]

    def heard(fraction: float, text: str) -> None:
        lines.append(text)
        on_progress(fraction, text)

    try:
        return install(home, heard, is_cancelled, wheels, anew)
    except RasdError as error:
        lines.append(str(error))
        last_error.note(error, "set-up")
        raise
    finally:
        _write_log(log_path(home), lines)


def self_test(python: Path, feedback: Feedback) -> dict[str, Any]:
    """The values of a self-test; EngineBrokenError where not even the CPU works."""
    values = run_engine(SelfTestRequest(), feedback, python)
    if not any(one["works"] for one in values["DEVICES"]):
        reasons = "; ".join(f"{one['device']}: {one['error']}" for one in values["DEVICES"])
        raise EngineBrokenError(
            f"The engine is there, but its self-test failed ({reasons}).", "Make it again."
        )
    return values


def describe_build() -> str:
    """Which build is fetched, and about how large it is."""
    build = builds.chosen_build()
    size = f"about {build.download_mb} MB to download, {build.disk_mb} MB on disk"
    return f"Build for {build.name}: {size}"


def _write_log(path: Path, lines: list[str]) -> None:
    """Write the log where that is possible; a set-up does not fail for want of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError:
        return
