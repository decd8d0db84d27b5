"""Bars on stderr, where that is a terminal: one per file that is being fetched, and one for all of them."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Told = Callable[[str, int, int], None]  # the name of a file, how many of its bytes are here, of how many

_SMALLEST = 1_000_000  # bytes of a file that is shown by itself
_LONGEST_NAME = 60  # characters; of a longer name the end is shown


@contextmanager
def transfer_bars(total: int, quiet: bool) -> Iterator[Told]:
    """Gives a callback that takes how far a file is; several threads may call it.

    Args:
        total: bytes of all files.
        quiet: show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda name, here, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bars(progress, total).tell


class _Bars:
    def __init__(self, progress: "Progress", total: int) -> None:
        self._progress, self._total = progress, total
        self._all = progress.add_task("all files", total=total)
        self._files: dict[str, TaskID] = {}
        self._here: dict[str, int] = {}
        self._lock = threading.Lock()

    def tell(self, name: str, here: int, size: int) -> None:
        """Shows how far a file is; what was there before counts for no rate."""
        with self._lock:
            if name not in self._here:
                self._total -= here
                self._progress.update(self._all, total=self._total)
                self._here[name] = here
            self._progress.advance(self._all, here - self._here[name])
            self._here[name] = here
            if here == size:
                if name in self._files:
                    self._progress.remove_task(self._files.pop(name))
            elif name in self._files:
                self._progress.update(self._files[name], completed=here)
            elif size >= _SMALLEST:
                self._files[name] = self._progress.add_task(name[-_LONGEST_NAME:], total=size, completed=here)
