"""How far files are, on stderr: bars where that is a terminal, now and then a line where it is a log."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wembed.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Told = Callable[[str, int, int], None]  # the name of a file, how many of its bytes are here, of how many

_SMALLEST = 1_000_000  # bytes of a file that is shown by itself
_BETWEEN_LINES = 30.0  # seconds
_LONGEST_NAME = 60  # characters; of a longer name the end is shown


@contextmanager
def transfer_bars(total: int, output: Output) -> Iterator[Told]:
    """Gives a callback that takes how far a file is; several threads may call it.

    Args:
        total: bytes of all files.
        output: how to speak.
    """
    if output.quiet or not sys.stderr.isatty():
        yield _Lines(total, output).tell
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


class _Lines:
    """A line every half a minute."""

    def __init__(self, total: int, output: Output) -> None:
        self._total, self._output = total, output
        self._here: dict[str, int] = {}
        self._next = time.monotonic() + _BETWEEN_LINES
        self._lock = threading.Lock()

    def tell(self, name: str, here: int, size: int) -> None:
        """Takes how far a file is."""
        with self._lock:
            self._here[name] = here
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + _BETWEEN_LINES
            here = sum(self._here.values())
        self._output.note(f"{here / 1e6:,.1f} of {self._total / 1e6:,.1f} MB are here")


class _Bars:
    """A bar for each file that takes a while, and one for all."""

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
