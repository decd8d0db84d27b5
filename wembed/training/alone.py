"""The folder of an encoder in; it is this training's alone while that lasts."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wembed.errors import WembedError

LOCK = "training.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps a second training out of a folder, which is made if it isn't there and removed if it stays empty.

    Raises:
        WembedError: another training writes it, or it can't be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        hint = "wait for it, or give another --name"
        raise WembedError(f"another training writes {folder.name!r}", hint) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WembedError(f"cannot write to {folder}: {reason}", "give another --zoo") from error
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)  # before it is released: whoever gets it now sees that it is gone
        lock.release()
        with suppress(OSError):
            folder.rmdir()
