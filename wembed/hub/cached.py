"""Files that need no fetching, since the same bytes are on disk already: huggingface_hub's cache, an older commit."""

import os
import shutil
import threading
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from wembed.errors import WembedError
from wembed.hub.download.alone import alone
from wembed.hub.download.digest import sha256_of_right
from wembed.hub.download.partial import sync_folder
from wembed.hub.repository import RemoteFile, Repository


def find_cached(repository: Repository, file: RemoteFile) -> Path | None:
    """Gives where huggingface_hub's own cache has a file, unchecked; None if it hasn't."""
    try:
        found = try_to_load_from_cache(repository.id, file.path, revision=repository.commit)
    except (ValueError, OSError):  # a name that can't be a file's
        return None
    return Path(found) if isinstance(found, str) else None


def take_cached(source: Path, file: RemoteFile, target: Path) -> str | None:
    """Puts a file on disk in the place of one that would be fetched: as a hard link, or a copy where that can't be.

    Args:
        source: the file, or a link to it.
        file: as listed.
        target: where it goes; one that is there is replaced.

    Returns:
        Its sha256 in hexadecimal digits; None if it can't be read, or isn't what the Hub lists.

    Raises:
        WembedError: if it can't be written.
    """
    try:
        source = source.resolve()
        sha256 = sha256_of_right(source, file, threading.Event()) if file.identity else None
    except (OSError, RuntimeError):  # RuntimeError: links that go in a circle
        return None
    if sha256:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(source, target, sha256)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise WembedError(f"cannot write {target}: {reason}", "is the disk full?") from error
    return sha256


def _put(source: Path, target: Path, sha256: str) -> None:
    """Links or copies a file beside its place, whence it is moved."""
    beside = target.with_name(f".{sha256[:16]}.taken")
    with alone(beside.with_suffix(".lock"), threading.Event()):
        beside.unlink(missing_ok=True)
        try:
            try:
                beside.hardlink_to(source)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(source, beside)
            _sync(beside)
            beside.replace(target)
            sync_folder(target.parent)
        finally:
            beside.unlink(missing_ok=True)  # a move onto another link of the same file leaves both


def _sync(path: Path) -> None:
    with path.open("rb") as reader:
        os.fsync(reader.fileno())
