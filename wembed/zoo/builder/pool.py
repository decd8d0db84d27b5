"""Orders in; what comes of each out, as it is done, on several processes that end with this one.

A worker runs on one core, ignores Ctrl-C, which its parent takes care of, and never outlives its parent.
"""

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Lock
from typing import Protocol

from wembed.catalog import CatalogRow
from wembed.errors import WembedError
from wembed.zoo.builder.work import Order, carry_out

_SECONDS_PER_LOOK = 0.2
_MARK = "WEMBED_BUILD_WORKER"
_ENVIRONMENT = {
    _MARK: "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages: training is a tenth faster; others pass it over
}

Rows = tuple[CatalogRow, ...]
Told = Callable[[str, int], None]  # the name of a stack, how many updates of it are done


class Pool(Protocol):
    """What carries orders out."""

    free: int

    def submit(self, order: Order) -> None:
        """Takes an order, if there is a free place."""

    def done(self) -> Iterator[tuple[Order, Rows]]:
        """Waits until at least one order is done, and gives what is."""


@contextmanager
def open_pool(jobs: int, told: Told) -> Iterator[Pool]:
    """Gives a pool of some processes; of one that is this one.

    Args:
        jobs: how many.
        told: hears how far orders are, now and then.
    """
    if jobs == 1:
        yield _Here(told)
        return
    pool = _Workers(jobs, told)
    try:
        yield pool
    except BaseException:
        pool.stop()
        raise
    pool.close()


class _Here:
    """Carries one order out at a time, in this process."""

    def __init__(self, told: Told) -> None:
        self.told, self.free = told, 1
        self._order: Order | None = None

    def submit(self, order: Order) -> None:
        self._order, self.free = order, 0

    def done(self) -> Iterator[tuple[Order, Rows]]:
        order, self._order, self.free = self._order, None, 1
        assert order is not None
        yield order, carry_out(order, lambda steps: self.told(order.stack.name, steps))


class _Workers:
    """Carries orders out in other processes."""

    def __init__(self, jobs: int, told: Told) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process that has run torch may hang
        self.free, self.told = jobs, told
        self._receive, self._send = context.Pipe(duplex=False)
        begin = functools.partial(_begin, self._send, context.Lock())
        self._executor = ProcessPoolExecutor(jobs, context, begin)
        self._orders: dict[Future[Rows], Order] = {}

    def submit(self, order: Order) -> None:
        with worker_environment():
            self._orders[self._executor.submit(_carry_out, order)] = order
        self.free -= 1

    def done(self) -> Iterator[tuple[Order, Rows]]:
        found: set[Future[Rows]] = set()
        while not found:
            found = wait(self._orders, _SECONDS_PER_LOOK, FIRST_COMPLETED).done
            while self._receive.poll():
                self.told(*self._receive.recv())
        for future in found:
            order = self._orders.pop(future)
            self.free += 1
            try:
                rows = future.result()
            except BrokenProcessPool as error:
                hint = "the same command goes on where this one was; with --jobs 1 it needs less memory"
                raise WembedError(f"a worker ended while it made {order.stack.name} or another", hint) from error
            yield order, rows

    def close(self) -> None:
        self._executor.shutdown()

    def stop(self) -> None:
        for worker in multiprocessing.active_children():
            worker.terminate()
        self._executor.shutdown(cancel_futures=True)


@contextmanager
def worker_environment() -> Iterator[None]:
    """The environment that processes start in, which are started when they are needed."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ |= {name: value for name, value in _ENVIRONMENT.items() if not before[name]}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]


def is_worker() -> bool:
    """Whether this process was started as a worker, and is not yet one: it runs the script that built a zoo anew."""
    return _MARK in os.environ


_connection: "Connection[tuple[str, int], None] | None" = None
_lock: Lock | None = None


def _begin(send: "Connection[tuple[str, int], None]", lock: Lock) -> None:
    """Makes a process a worker."""
    global _connection, _lock
    _connection, _lock = send, lock
    os.environ.pop(_MARK, None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # rather than at once: so it cleans up behind it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _carry_out(order: Order) -> Rows:
    latest = time.monotonic()

    def told(steps: int) -> None:
        nonlocal latest
        if time.monotonic() - latest > _SECONDS_PER_LOOK:
            latest = time.monotonic()
            assert _connection is not None and _lock is not None
            with _lock:
                _connection.send((order.stack.name, steps))

    return carry_out(order, told)
