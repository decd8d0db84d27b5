"""Partial: the first bytes of a file that is being fetched, on disk beside a sidecar that says what they are."""

import hashlib
import json
import os
import stat
import threading
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path

from wembed.hub.download.alone import alone_at_once
from wembed.hub.download.digest import Digest
from wembed.hub.repository import RemoteFile, Repository

_KEY_LENGTH = 64  # characters of a sha256


@dataclass(frozen=True)
class Source:
    """What the sidecar of a partial file says.

    Args:
        repository: that the file is of.
        path: in the repository.
        commit: of the repository.
        size: of the whole file.
        identity: what changes whenever its bytes do, as the Hub lists it; "" if it doesn't.
        etag: as the server gave it with the first byte.
    """

    repository: str
    path: str
    commit: str
    size: int
    identity: str
    etag: str = ""

    @classmethod
    def of(cls, repository: Repository, file: RemoteFile) -> "Source":
        """Gives the source of a file."""
        return cls(repository.id, file.path, repository.commit, file.size, file.identity)

    @property
    def key(self) -> str:
        """Name of its partial file; another one whenever the bytes are others."""
        what = [self.identity] if self.identity else [self.repository, self.commit, self.path]
        return hashlib.sha256(json.dumps([*what, self.size]).encode()).hexdigest()


class Partial:
    """A file's first `size` bytes on disk, which are those that its digest has seen; to be used under its lock.

    What lies at its place without a sidecar of its own is not its work, and is neither read nor written into.

    Args:
        folder: of partial files.
        source: of the bytes.
        file: as listed.
    """

    def __init__(self, folder: Path, source: Source, file: RemoteFile) -> None:
        self._source, self._file = source, file
        self._part, self._sidecar = _part(folder, source.key), _sidecar(folder, source.key)
        self._writer: FileIO | None = None
        self._digest, self.size, self.is_begun = Digest(file), 0, False

    def resume(self, stop: threading.Event) -> None:
        """Takes up what an earlier download left, reading it once.

        Raises:
            StoppedError: if a person has ended it.
        """
        known = _read(self._sidecar)
        if not known or known.key != self._source.key or not _is_ours(self._part, self._file.size):
            return
        self._digest.read(self._part, stop)
        self._source = replace(self._source, etag=known.etag)
        self.size, self.is_begun = self._part.stat().st_size, True
        self._writer = self._part.open("ab", buffering=0)

    def begin(self, etag: str) -> None:
        """Starts with no byte, on disk too.

        Args:
            etag: that the server gives for the file.
        """
        self.remove()
        self.is_begun = True
        self._source = replace(self._source, etag=etag)
        self._sidecar.write_text(json.dumps(asdict(self._source)))
        self._writer = self._part.open("xb", buffering=0)

    def append(self, data: bytes) -> None:
        """Puts the next bytes on disk, where a killed process leaves them."""
        if self._writer is None:
            raise ValueError("a partial file that was not begun")
        view = memoryview(data)
        while view:
            written = self._writer.write(view)  # fewer than all, where the disk is nearly full
            self._digest.update(view[:written])
            self.size += written
            view = view[written:]

    def is_of(self, etag: str) -> bool:
        """Whether a server that gives this etag still has the file that these bytes are of."""
        known = self._source.etag
        return bool(self._file.sha256) or not known or not etag or known == etag

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.is_begun and self.size == self._file.size

    @property
    def mismatch(self) -> str:
        """What the hash is and what it should be, if they differ."""
        return self._digest.mismatch

    def move(self, target: Path) -> str:
        """Puts the whole file at its place, where it survives a crash, and gives its sha256."""
        if self._writer is None:
            raise ValueError("a partial file that was not begun")
        os.fsync(self._writer.fileno())
        self._close()
        self._part.replace(target)
        sync_folder(target.parent)
        found = self._digest.sha256
        self.remove()
        return found

    def leave(self) -> None:
        """Lets go of it; it stays on disk, unless it has no byte yet."""
        if self.is_begun and not self.size:
            self.remove()
        self._close()

    def remove(self) -> None:
        """Takes it off the disk."""
        self._close()
        self._part.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)  # last, so that no bytes are left that nobody knows
        self._digest, self.size, self.is_begun = Digest(self._file), 0, False

    def _close(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer = None


def remove_left_over(folder: Path, done: Collection[tuple[str, str]]) -> None:
    """Removes partial files that nothing goes on with, unless another process is at them.

    Args:
        folder: of partial files; need not be there.
        done: repositories and paths whose files are all at their places; a torn sidecar's goes too.
    """
    for key, source in list(_sidecars(folder)):
        if source is None or (source.repository, source.path) in done:
            with alone_at_once(folder / f"{key}.lock") as is_held:
                if is_held:
                    _part(folder, key).unlink(missing_ok=True)
                    _sidecar(folder, key).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes what was moved into a folder survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sidecars(folder: Path) -> "Iterator[tuple[str, Source | None]]":
    """Key and content of each; None for one that a crash has torn."""
    for path in folder.glob("*.json"):
        if len(path.stem) == _KEY_LENGTH:
            yield path.stem, _read(path)


def _read(sidecar: Path) -> Source | None:
    try:
        return Source(**json.loads(sidecar.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _part(folder: Path, key: str) -> Path:
    return folder / f"{key}.part"


def _sidecar(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _is_ours(part: Path, most: int) -> bool:
    """Whether it's a file, not a link to one, and no longer than it may be."""
    try:
        found = part.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= most
