"""A path to write to in; nothing out, or the refusal that it would end with, before the work and not after it."""

import os
from pathlib import Path

from wembed.errors import NotFoundError, UsageError, WembedError


def check_output_file(path: Path | None, option: str = "-o") -> None:
    """Checks that a file can be written.

    Args:
        path: of the file, if one is asked for.
        option: that names it, for the hint.

    Raises:
        NotFoundError: its folder isn't there.
        UsageError: it is a folder.
        WembedError: nobody may write there.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise NotFoundError(f"cannot write {path}: there is no folder {path.parent}", "make it first")
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder", f"give {option} the name of a file")
    if not os.access(path.parent, os.W_OK):
        raise WembedError(
            f"cannot write {path}: no permission to write to {path.parent}", f"give {option} another folder"
        )
