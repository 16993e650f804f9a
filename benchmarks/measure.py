"""What a call costs: seconds by the wall clock, and the memory it took at its height."""

from __future__ import annotations

import ctypes
import gc
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_PEAK_RESET = Path("/proc/self/clear_refs")
_KIB = 1024


@dataclass(frozen=True)
class Cost:
    """value: what the call returned; peak: MiB above what the process held before it."""

    value: Any
    seconds: float
    peak: float


def cost(call: Callable[[], Any]) -> Cost:
    """Make the call once. The peak is exact on Linux, elsewhere a bound from below."""
    gc.collect()
    _trim()
    before = _reset_peak()
    started = time.perf_counter()
    value = call()
    seconds = time.perf_counter() - started
    return Cost(value, seconds, max(_peak() - before, 0.0) / _KIB)


def _trim() -> None:
    """Give the system what the C library keeps free, lest the call take that and seem small."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _reset_peak() -> float:
    """Forget the greatest resident size so far, where that can be; the present one in KiB."""
    try:
        _PEAK_RESET.write_text("5")
        return _status("VmRSS")
    except OSError:
        return _peak()


def _peak() -> float:
    """The greatest resident size in KiB."""
    if _STATUS.is_file():
        return _status("VmHWM")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / _KIB if sys.platform == "darwin" else float(most)


def _status(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), flags=re.MULTILINE)
    if found is None:
        raise OSError(f"{_STATUS} tells no {field}")
    return float(found.group(1))
