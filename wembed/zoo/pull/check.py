"""A row in; what is wrong with the files of its checkpoint by the lock, without the Hub, out."""

import hashlib
from pathlib import Path

from wembed.catalog import CatalogRow, Zoo
from wembed.hub.repository import RemoteFile
from wembed.zoo.pull.lock import LockIndex, expected_hash


class LockCheck:
    """Checks rows against a zoo's lock.

    Args:
        zoo: whose lock.
    """

    def __init__(self, zoo: Zoo) -> None:
        self._zoo, self._lock = zoo, LockIndex(zoo)

    def problem(self, row: CatalogRow) -> str:
        """Says what is wrong with a row whose weights are what the row says, "" if nothing is."""
        found = self._lock.find(row)
        if not found:
            return ""
        entry, checkpoint = found[-1]
        remote = checkpoint.remote
        expected = expected_hash(remote)
        if row.sha256 != expected:
            return f"sha256 is {row.sha256}, the lock says {expected}"
        others = (*((remote.index,) if remote.index else ()), *remote.beside)
        folder = entry.folder(self._zoo)
        return next(filter(None, (_problem(folder / file.path, file) for file in others)), "")


def _problem(path: Path, file: RemoteFile) -> str:
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"{file.path}: {(error.strerror or type(error).__name__).lower()}"
    return "" if found == file.sha256 else f"{file.path}: sha256 is {found}, the lock says {file.sha256}"
