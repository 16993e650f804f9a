"""Stages: work that runs beside other work, in order, with a bounded number of results waiting.

`ahead` is the stage before a loop, `Behind` the one after it. Each has one thread, so what it works
with needs no lock; an error in it is raised in the loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(
    work: Callable[[Item], Made], items: Iterable[Item], depth: int = 1
) -> Generator[Made, None, None]:
    """work(item) of every item, in order; while one is used, `depth` more are worked on or wait."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    waiting: deque[Future[Made]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Behind:
    """Calls made one after another in a thread; a context manager, which ends when all are made.

    One call is under way at a time and none waits: the next one is taken when it has ended, so
    what two calls hold is all that is held.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._last: Future[Any] | None = None

    def call(self, function: Callable[..., Any], *values: Any) -> None:
        """Have the call made; raises what the one before it raised."""
        self.wait()
        self._last = self._pool.submit(function, *values)

    def wait(self) -> None:
        """Until the last call has ended; raises what it raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._pool.shutdown(cancel_futures=True)
