"""Fetching one file of the Hub: asked for from where it broke, as often as there's patience for, and checked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wembed.errors import CheckpointRefusedError, HubError, WembedError
from wembed.hub.download.alone import alone
from wembed.hub.download.digest import sha256_of_right
from wembed.hub.download.partial import Partial, Source
from wembed.hub.download.room import Claim, claimed, no_room
from wembed.hub.failures import TransientError, is_disk_full
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Body, Hub, StoppedError

_AGAIN = "the same command goes on where it was"

OnBytes = Callable[[int], None]


def _silent(on_disk: int) -> None:
    pass


def download(
    hub: Hub, repository: Repository, file: RemoteFile, target: Path, partials: Path, on_bytes: OnBytes = _silent
) -> str:
    """Fetches a file, unless it's there; another process that fetches the same bytes is waited for.

    Args:
        hub: to fetch from.
        repository: at its commit.
        file: as listed.
        target: where the file goes, in whole; one there that is another is replaced.
        partials: folder of partial files, on the same file system.
        on_bytes: hears how many bytes of the file are on disk: at first, then after every piece.

    Returns:
        sha256 of the bytes, in hexadecimal digits.

    Raises:
        NotFoundError: if the Hub doesn't have it.
        HubError: if the Hub refuses, or can't be reached however often it is tried.
        CheckpointRefusedError: if what the Hub sends is not what it lists.
        WembedError: if the disk is full or can't be written; what is there stays.
        StoppedError: if a person has ended it; what is there stays.
    """
    source = Source.of(repository, file)
    transfer = _Transfer(hub, repository, file, Partial(partials, source, file), on_bytes)
    with _writing(transfer, target, partials):
        partials.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(partials / f"{source.key}.lock", hub.stop):
            return transfer.run(target, partials)


@contextmanager
def _writing(transfer: "_Transfer", target: Path, partials: Path) -> Iterator[None]:
    """Translates what goes wrong on disk."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise no_room(transfer.name, partials, transfer.file.size - transfer.partial.size) from error
        reason = (error.strerror or type(error).__name__).lower()
        where = error.filename2 or error.filename or target
        raise WembedError(f"{transfer.name}: cannot write {where}: {reason}", "check the folder") from error


@dataclass
class _Transfer:
    """One file's way from the Hub to its partial file."""

    hub: Hub
    repository: Repository
    file: RemoteFile
    partial: Partial
    on_bytes: OnBytes
    claim: Claim = field(default_factory=lambda: Claim(0))

    @property
    def name(self) -> str:
        """What the file is called in messages."""
        name = f"{self.repository.id}/{self.file.path}"
        return name if name.isprintable() else repr(name)

    def run(self, target: Path, partials: Path) -> str:
        """Puts the file at its place, and gives its sha256; what is fetched of it stays, whatever happens."""
        there = sha256_of_right(target, self.file, self.hub.stop)
        if there:
            self.partial.remove()
            self.on_bytes(self.file.size)
            return there
        try:
            self.partial.resume(self.hub.stop)
            with claimed(self.name, partials, self.file.size - self.partial.size) as self.claim:
                self._fetch()
            return self.partial.move(target)
        finally:
            self.partial.leave()

    def _fetch(self) -> None:
        """Fetches what is missing; all of it once more, if it's wrong and doesn't come from one answer."""
        self._tell()
        was_begun = self.partial.is_begun
        answers = self._complete()
        if self.partial.mismatch and (was_begun or answers > 1):
            self.partial.remove()
            self._tell()
            self._complete()
        mismatch = self.partial.mismatch
        if mismatch:
            self.partial.remove()
            hint = "the Hub sends something else than it lists; try again later, or tell those whose repository it is"
            raise CheckpointRefusedError(f"{self.name}: {mismatch}", hint)

    def _complete(self) -> int:
        """Asks until all bytes are there, and gives how many answers that took."""
        patience, answers = self.hub.patience(self.name), 0
        first = most = self.partial.size
        while not self.partial.is_whole:
            self._heed()
            answers += 1
            try:
                self._receive(first)
                first = self.partial.size
            except TransientError as error:
                first = self.partial.size
                if not self.partial.is_whole:
                    patience.wait(error, made_progress=first > most)
            except HubError:
                if not first:
                    raise
                first = 0  # if a part is all that it refuses, it gives the whole
            most = max(most, self.partial.size)
        return answers

    def _receive(self, first: int) -> None:
        """Writes what one answer brings; nothing, if it goes on where another file's first bytes end."""
        if not self.file.size:
            self.partial.begin("")
            return
        with self.hub.stream(self.repository, self.file.path, first) as body:
            self._check_total(body)
            if not self.partial.is_of(body.etag):
                self.partial.remove()
            if not self.partial.is_begun:
                if body.start:
                    return
                self.partial.begin(body.etag)
            self._write(body)
        if not self.partial.is_whole:
            found = f"the Hub ends after {self.partial.size} of {self.file.size} bytes"
            raise TransientError(f"{self.name}: {found}", _AGAIN)

    def _write(self, body: Body) -> None:
        repeated = self.partial.size - body.start  # bytes that it sends again, since it heeds no range
        for piece in body.chunks:
            self._heed()
            new = piece[repeated:]
            repeated = max(0, repeated - len(piece))
            if len(new) > self.file.size - self.partial.size:
                self.partial.remove()
                raise TransientError(f"{self.name}: the Hub sends more than the {self.file.size} bytes that it lists")
            self.partial.append(new)
            self._tell()

    def _check_total(self, body: Body) -> None:
        if body.total is not None and body.total != self.file.size:
            found = f"the Hub sends a file of {body.total} bytes, and lists {self.file.size}"
            raise TransientError(f"{self.name}: {found}", "what it sends is no such file; try again later")

    def _heed(self) -> None:
        if self.hub.stop.is_set():
            raise StoppedError

    def _tell(self) -> None:
        self.claim.missing = self.file.size - self.partial.size
        self.on_bytes(self.partial.size)
