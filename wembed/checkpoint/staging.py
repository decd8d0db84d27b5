"""A place where something is made in; the same thing at its place out, once it is whole."""

import os
import platform
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wembed.errors import NotFoundError, UsageError, WembedError

_PLACE = re.compile(r"([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial", re.ASCII)  # a machine, a process of it, chance


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A hidden place beside `out`, where the caller makes a file or a folder that takes its name at the end.

    It reaches the disk before it is renamed. After a failure it is removed; what a process that was killed has left is
    removed by the next one that makes the same thing on the same machine.

    Args:
        out: where the result goes; a file that is there is replaced.

    Raises:
        UsageError: there is a folder that is not empty.
        NotFoundError: the folder above is missing.
        WembedError: the disk is full or refuses.
    """
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: is a folder that is not empty, expected a new name")
    if not out.parent.is_dir():
        raise NotFoundError(f"{out}: its folder does not exist", hint=f"mkdir -p {out.parent}")
    remove_left(out)
    partial = out.with_name(f".{out.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        yield partial
        _sync_all(partial)
        partial.replace(out)
        _sync(out.parent)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WembedError(f"{out}: could not be written: {reason}") from error
    finally:
        _remove(partial)


def remove_left(out: Path) -> None:
    """Removes what processes of this machine that are gone have left of `out`; what nobody may remove stays."""
    front = f".{out.name}."
    with suppress(OSError):
        for path in list(out.parent.iterdir()):
            found = _PLACE.fullmatch(path.name.removeprefix(front)) if path.name.startswith(front) else None
            if found and found[1] == _machine() and not _lives(int(found[2])):
                _remove(path)


def _sync_all(path: Path) -> None:
    """Brings a file, or a folder with all that is in it, to the disk."""
    for child in path.iterdir() if path.is_dir() else ():
        _sync_all(child)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _machine() -> str:
    """A short name of this machine, which others that share its disk do not have."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _lives(process: int) -> bool:
    if os.name != "posix":  # elsewhere the question ends the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's
        return True
    return True
