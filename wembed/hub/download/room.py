"""Room: downloads that run at once claim what they still have to write, so that none starts what can't end."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wembed.errors import WembedError

_claims: "list[Claim]" = []  # of this process; two processes may still overdraw, and then one's write fails
_lock = threading.Lock()


@dataclass(eq=False)
class Claim:
    """Room that a download is going to use.

    Args:
        missing: bytes that it has still to write.
    """

    missing: int


@contextmanager
def claimed(what: str, folder: Path, missing: int) -> Iterator[Claim]:
    """Claims room in a folder; the claim should shrink as the room is used.

    Args:
        what: needs it, for messages.
        folder: that there is to be room in.
        missing: bytes.

    Raises:
        WembedError: if there isn't that much which no other download has claimed.
    """
    claim = Claim(missing)
    with _lock:
        free = shutil.disk_usage(folder).free
        others = sum(each.missing for each in _claims)
        if missing and missing > free - others:
            raise no_room(what, folder, missing, others)
        _claims.append(claim)
    try:
        yield claim
    finally:
        with _lock:
            _claims.remove(claim)


def no_room(what: str, folder: Path, missing: int, others: int = 0) -> WembedError:
    """Gives the error that says how much room is needed and how much there is.

    Args:
        what: needs it.
        folder: that lacks it.
        missing: bytes needed.
        others: bytes that other downloads are going to use.
    """
    free = f"{shutil.disk_usage(folder).free} are free"
    if others:
        free += f", of which other downloads take {others}"
    hint = "make room; the same command goes on where it was"
    return WembedError(f"{what}: no room in {folder}: {missing} more bytes are needed, {free}", hint)
