"""Calls in; what comes of each out, as it is done, by several threads of which none keeps the program from ending."""

import functools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar, cast

Result = TypeVar("Result")

_LOOK = 0.2  # seconds between looks at whether anybody still works


class Outcome(NamedTuple, Generic[Result]):
    """What came of a call.

    Args:
        number: of the call.
        result: what it gave; None if it raised.
        error: what it raised.
    """

    number: int
    result: Result | None
    error: Exception | None

    def given(self) -> Result:
        """What the call gave; raises what it raised."""
        if self.error:
            raise self.error
        return cast(Result, self.result)


def in_parallel(calls: Sequence[Callable[[], Result]], jobs: int, stop: threading.Event) -> Iterator[Outcome[Result]]:
    """Carries out calls, some at once, begun in their order.

    Args:
        calls: whatever they raise is an outcome too.
        jobs: how many at once.
        stop: ends it when it is set, and is set where the caller gives up; a call that looks at it ends soon.
    """
    if not calls:
        return
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome[Result]] = queue.SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)
    work = functools.partial(_work, calls, waiting, done, stop)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(calls)))]
    for thread in threads:
        thread.start()
    left = len(calls)
    try:
        for outcome in _arriving(done, threads, stop):
            yield outcome
            left -= 1
            if not left:
                return
    finally:
        if left:
            stop.set()


def _work(
    calls: Sequence[Callable[[], Result]],
    waiting: "queue.SimpleQueue[int]",
    done: "queue.SimpleQueue[Outcome[Result]]",
    stop: threading.Event,
) -> None:
    """What a thread does: one call after the other, as long as some wait."""
    while not stop.is_set():
        try:
            number = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            done.put(Outcome(number, calls[number](), None))
        except Exception as error:
            done.put(Outcome(number, None, error))


def _arriving(
    done: "queue.SimpleQueue[Outcome[Result]]", threads: Sequence[threading.Thread], stop: threading.Event
) -> Iterator[Outcome[Result]]:
    """What is done, as long as anything may come."""
    while not stop.is_set() or any(thread.is_alive() for thread in threads):
        with suppress(queue.Empty):
            yield done.get(timeout=_LOOK)
