"""Parts of a file in; the same in the same order out, each read by a thread while the one before is worked on.

At most two parts are held: the one that is worked on and the next.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")


def read_ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """Gives what an iterator gives; its code runs in one other thread, a part ahead of the caller's.

    Raises:
        Exception: what the iterator raises, where its part would have come.
    """
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        coming = thread.submit(_next, parts)
        while part := coming.result():
            coming = thread.submit(_next, parts)
            yield part[0]
            del part  # else three are held while the next is waited for


def _next(parts: Iterator[Part]) -> tuple[Part] | None:
    """The next part, None after the last one."""
    return next(((part,) for part in parts), None)
