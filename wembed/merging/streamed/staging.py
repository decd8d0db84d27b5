"""A place where something is made in; the same thing at its place out, once it is whole."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wembed.errors import NotFoundError, UsageError, WembedError


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A hidden place beside `out`, where the caller makes a file or a folder that takes its name at the end.

    It reaches the disk before it is renamed. After a failure it is removed; a process that is killed leaves it, under
    a name that is looked for by nothing.

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
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
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
