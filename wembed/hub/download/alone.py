"""Alone: one process at a time works at a path, while the others wait for it until somebody ends their waiting."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wembed.hub.session import StoppedError

_POLL = 0.05  # seconds between looks at a lock that another process holds


@contextmanager
def alone(lock: Path, stop: threading.Event) -> Iterator[None]:
    """Holds a lock file, which is there no longer than the lock.

    Args:
        lock: its path.
        stop: ends the waiting.

    Raises:
        StoppedError: if a person has ended it.
    """
    while True:
        with alone_at_once(lock) as is_held:
            if is_held:
                yield
                return
        if stop.wait(_POLL):
            raise StoppedError


@contextmanager
def alone_at_once(lock: Path) -> Iterator[bool]:
    """Holds a lock file if nobody else does, and gives whether it's held."""
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.unlink(missing_ok=True)  # before it is released: whoever gets a lock on it now sees that it's gone
        held.release()
