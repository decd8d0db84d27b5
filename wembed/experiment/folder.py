"""The folder of an experiment: for one process at a time, and for one zoo."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from wembed.errors import WembedError

SETTINGS = "experiment.json"
LOCK = "experiment.lock"
_HINT = "choose another --experiment-name"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps a second process out of a folder, which is made if it isn't there.

    Raises:
        WembedError: another process is in it, or it can't be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise WembedError(f"another process works on the experiment in {folder}", f"wait for it, or {_HINT}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WembedError(f"cannot write to {folder}: {reason}", "--results says where experiments go") from error
    try:
        yield
    finally:
        lock.release()


def claim(folder: Path, settings: Mapping[str, object]) -> None:
    """Marks a folder as that of one experiment.

    Args:
        folder: that is there.
        settings: what all calls on it must agree on.

    Raises:
        WembedError: it belongs to another experiment.
    """
    path = folder / SETTINGS
    if not path.exists():
        unfinished = path.with_name(f".{SETTINGS}.{os.getpid()}.partial")
        unfinished.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        differing = [name for name, value in settings.items() if before[name] != value]
    except (ValueError, KeyError, TypeError) as error:
        raise WembedError(f"{path} does not say what runs in its folder", _HINT) from error
    if differing:
        name = differing[0]
        found = f"{folder} holds an experiment with {name.replace('_', '-')} {before[name]}"
        raise WembedError(f"{found}, asked for is {settings[name]}", _HINT)
