"""log.txt: what an experiment did and when; the one file of it that knows times."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wembed.zoo.progress import Progress

LOG = "log.txt"

Show = Callable[[str], AbstractContextManager[Progress]]  # a title -> what takes how many are done, of how many


@contextmanager
def unseen(title: str) -> Iterator[Progress]:
    """A stage that nobody watches."""
    yield lambda done, total: None


@dataclass(frozen=True)
class Log:
    """A line per event, with its time; what earlier calls wrote stays.

    Args:
        path: of the file.
        show: shows how far a stage is to whoever watches.
    """

    path: Path
    show: Show = unseen

    def write(self, text: str) -> None:
        """One line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")

    @contextmanager
    def timed(self, title: str) -> Iterator[None]:
        """Says when something began, how long it took, and whether it was stopped."""
        start = time.monotonic()
        self.write(f"{title}: begun")
        try:
            yield
        except BaseException as error:
            reason = f"{type(error).__name__} {error}".strip()
            self.write(f"{title}: stopped after {time.monotonic() - start:.2f} s by {reason}")
            raise
        self.write(f"{title}: done in {time.monotonic() - start:.2f} s")

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """A stage that is timed and shown, which takes how many are done, of how many."""
        with self.timed(title), self.show(title) as progress:
            yield progress
