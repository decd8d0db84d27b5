"""Digest: the hashes of a file's bytes as they come by, and whether they are those that the Hub lists."""

import hashlib
import threading
from pathlib import Path

from wembed.hub.repository import RemoteFile
from wembed.hub.session import StoppedError

_PIECE = 1 << 20  # bytes that are read at once


class Digest:
    """The hashes of the bytes seen so far: sha256, and git's own of a blob where the Hub lists no other.

    Args:
        file: as listed.
    """

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._git = (
            None if file.sha256 or not file.oid else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        )

    def update(self, data: bytes | memoryview) -> None:
        """Takes in the next bytes."""
        self._sha256.update(data)
        if self._git:
            self._git.update(data)

    def read(self, path: Path, stop: threading.Event) -> None:
        """Takes in all bytes of a file on disk.

        Raises:
            StoppedError: if a person has ended it.
        """
        with path.open("rb", buffering=0) as reader:
            while piece := reader.read(_PIECE):
                self.update(piece)
                if stop.is_set():
                    raise StoppedError

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def mismatch(self) -> str:
        """What is found and what is expected, if they differ; "" where the Hub lists no hash."""
        if self._git:
            return _difference("git blob hash", self._git.hexdigest(), self._file.oid)
        return _difference("sha256", self.sha256, self._file.sha256 or self.sha256)


def sha256_of_right(path: Path, file: RemoteFile, stop: threading.Event) -> str | None:
    """Gives the sha256 of a file on disk if its size and hash are the listed ones.

    Raises:
        StoppedError: if a person has ended it.
    """
    if not path.is_file() or path.stat().st_size != file.size:
        return None
    digest = Digest(file)
    digest.read(path, stop)
    return None if digest.mismatch else digest.sha256


def _difference(what: str, found: str, expected: str) -> str:
    return "" if found == expected else f"{what} is {found}, expected {expected}"
