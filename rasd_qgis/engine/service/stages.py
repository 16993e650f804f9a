"""Stages: work that runs beside other work, in order, with a bounded number of results waiting.

`ahead` is the stage before a loop, `Behind` the one after it. Each has one thread, so what it works
with needs no lock; an error in it is raised in the loop. Where memory ends they end, too: the
standard library's threads and executors wait for ever for a thread that died for want of it.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

# How often a thread that is waited for is asked whether it lives, and how often at its start.
LOOK_SECONDS, LOOKS = 1.0, 20


def start(work: Callable[[], None]) -> threading.Lock:
    """Do the work in a thread of its own; MemoryError where there is no room for one.

    The lock is held for as long as the thread lives.
    """
    begun, life = threading.Event(), threading.Lock()

    def begin() -> None:
        with life:
            begun.set()
            work()

    try:
        _thread.start_new_thread(begin, ())
    except RuntimeError as error:
        raise MemoryError(str(error)) from error
    # Looks, not one long wait: a process that was stopped for long shall not take it for a failure.
    if not any(begun.wait(LOOK_SECONDS) for _ in range(LOOKS)):
        raise MemoryError("A thread did not begin.")
    return life


class Worker:
    """A thread that makes the calls given to it, in order."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._closed = False
        self._life = start(self._live)

    def call(self, function: Callable[..., Any], *values: Any) -> None:
        """Have a call made."""
        self._calls.put((function, values))

    def answer(self) -> Any:
        """What the first call not answered yet returned; raises what it raised."""
        while True:
            alive = self._life.locked()
            with contextlib.suppress(Empty):
                value, error = self._answers.get(timeout=LOOK_SECONDS)
                break
            if not alive:
                raise MemoryError("A thread ended before its work.")
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the call under way end, and leave those behind it."""
        self._closed = True
        self._calls.put(None)
        self._life.acquire()

    def _live(self) -> None:
        while self._make_next():
            pass

    def _make_next(self) -> bool:
        """Make the next call, and keep nothing of it; False where there is none."""
        call = self._calls.get()
        if call is None or self._closed:
            return False
        function, values = call
        answer: tuple[Any, BaseException | None]
        try:
            answer = function(*values), None
        except BaseException as error:  # it is raised where the answer is asked for
            answer = None, error
        self._answers.put(answer)
        return True


def ahead(
    work: Callable[[Item], Made], items: Iterable[Item], depth: int = 1
) -> Generator[Made, None, None]:
    """work(item) of every item, in order; while one is used, `depth` more are worked on or wait."""
    worker, waiting = Worker(), 0
    try:
        for item in items:
            worker.call(work, item)
            waiting += 1
            if waiting > depth:
                waiting -= 1
                yield worker.answer()
        for _ in range(waiting):
            yield worker.answer()
    finally:
        worker.close()


class Behind:
    """Calls made one after another in a thread; a context manager, which ends when all are made.

    One call is under way at a time and none waits: the next one is taken when it has ended, so
    what two calls hold is all that is held.
    """

    def __init__(self) -> None:
        self._worker, self._under_way = Worker(), False

    def call(self, function: Callable[..., Any], *values: Any) -> None:
        """Have the call made; raises what the one before it raised."""
        self.wait()
        self._worker.call(function, *values)
        self._under_way = True

    def wait(self) -> None:
        """Until the last call has ended; raises what it raised."""
        under_way, self._under_way = self._under_way, False
        if under_way:
            self._worker.answer()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._worker.close()
