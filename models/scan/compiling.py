"""Compiling kernels at import, and keeping them in the user's cache for the next process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from numba import config, njit, void

from .cache import kernel_cache

_one_at_a_time = threading.Lock()


def compile_kernel(function: Callable[..., None], *arguments: Any) -> Callable[..., None]:
    """Compile for arguments of these numba types: explicit, so that importing does all the work.

    The compiled kernel holds no lock and returns nothing.
    """
    with _cached_for_user() as cached:
        return njit(void(*arguments), nogil=True, error_model="numpy", cache=cached)(function)


@contextmanager
def _cached_for_user() -> Iterator[bool]:
    """Point numba at our own folder in the user's cache; False if nothing can be kept there.

    numba's setting is the process's: a second thread would take ours for the user's.
    """
    with _one_at_a_time:
        usual = config.CACHE_DIR
        folder = kernel_cache(usual)
        if folder is not None:
            config.CACHE_DIR = str(folder)
        try:
            yield folder is not None
        finally:
            config.CACHE_DIR = usual
