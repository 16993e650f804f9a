"""The last error of this session, kept for the diagnosis that an analyst copies."""

from __future__ import annotations

from datetime import datetime, timezone

from ..contract.errors import Cancelled, EngineCrashedError, RasdError

_last = ""


def note(error: RasdError, what: str) -> None:
    """Keep an error; what: what was being done. A cancel is none."""
    global _last
    if isinstance(error, Cancelled):
        return
    moment = datetime.now(timezone.utc).isoformat(timespec="seconds")
    tail = error.stderr_tail if isinstance(error, EngineCrashedError) else ""
    parts = [f"{moment}, {what}, {error.kind}", str(error), tail if tail not in str(error) else ""]
    _last = "\n".join(part for part in parts if part)


def last() -> str:
    """When, in what, and the whole text; "" where nothing went wrong in this session."""
    return _last


def forget() -> None:
    """Nothing went wrong any more."""
    global _last
    _last = ""
