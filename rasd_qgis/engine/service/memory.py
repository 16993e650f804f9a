"""Memory: kept during a run, given back after it, and how much an idle engine keeps to itself."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import sys

# Of mallopt. Large blocks come from the heap, whose end is not given back before `release`: a page
# that the system hands out anew is a page that it must clear first, a quarter of a forward's time.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# One heap for all threads: stages hand arrays on, and each heap would keep what others freed there.
_ARENAS = -8
# The second is what older C libraries allow at most.
_LARGEST = (2**30, 2**25)
# What torch's libraries map, about.
LITTLE = 512 * 2**20


def keep() -> None:
    """Let torch use what it has freed again, in large pages; on Linux, before torch is imported."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    tune = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tune is not None:
        tune(_ARENAS, 1)
        tune(_TRIM_THRESHOLD, _LARGEST[0])
        any(tune(_MMAP_THRESHOLD, size) for size in _LARGEST)


def release() -> None:
    """Give the memory of the last run back to the system, and to others on the GPU."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        if trim is not None:
            trim(0)


def short() -> bool:
    """Whether the system refuses this process so little more that its libraries would not load."""
    try:
        mmap.mmap(-1, LITTLE).close()
    except (OSError, MemoryError):
        return True
    return False


def own_mib() -> float:
    """Resident memory in MiB; on Linux without what is shared with files, such as libraries.

    Infinite where the system does not say.
    """
    try:
        if sys.platform == "linux":
            return _on_linux()
        if sys.platform == "darwin":
            return _on_macos()
        if sys.platform == "win32":
            return _on_windows()
    except (OSError, AttributeError, ValueError):
        pass
    return float("inf")


def _on_linux() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        _, resident, shared = file.read().split()[:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _on_macos() -> float:
    """By proc_pidinfo's PROC_PIDTASKINFO, whose second number is the resident size."""
    task_info = 4
    numbers = (ctypes.c_uint64 * 12)()
    size = ctypes.sizeof(numbers)
    if ctypes.CDLL(None).proc_pidinfo(os.getpid(), task_info, 0, numbers, size) != size:
        raise OSError("proc_pidinfo failed")
    return numbers[1] / 2**20


def _on_windows() -> float:
    """By GetProcessMemoryInfo's PROCESS_MEMORY_COUNTERS, whose fourth field is the working set."""
    size_t, dword = ctypes.c_size_t, ctypes.c_uint32
    names = "peak working_set peak_paged paged peak_nonpaged nonpaged pagefile peak_pagefile"
    fields = [("size", dword), ("faults", dword), *((name, size_t) for name in names.split())]
    counters = type("Counters", (ctypes.Structure,), {"_fields_": fields})()
    counters.size = ctypes.sizeof(counters)
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]  # there alone
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    if not kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size):
        raise OSError("GetProcessMemoryInfo failed")
    return counters.working_set / 2**20
