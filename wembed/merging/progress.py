"""How a merge says how far it is: a callback, so that nothing here knows what a terminal is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]  # how many bytes are written, of how many


def silent(done: int, total: int) -> None:
    """Says nothing."""
