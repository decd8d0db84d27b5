"""Calls in; what comes of each out, as it is done, by several threads of which none keeps the program from ending."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

Result = TypeVar("Result")


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
        stop: is set where the caller gives up, so that a call which looks at it ends soon; set before, nothing begins.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome[Result]] = queue.SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)

    def work() -> None:
        while not stop.is_set():
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put(Outcome(number, calls[number](), None))
            except Exception as error:
                done.put(Outcome(number, None, error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(calls)))]
    for thread in threads:
        thread.start()
    left = len(calls)
    try:
        while left:
            yield done.get()
            left -= 1
    finally:
        if left:
            stop.set()
