"""Where a merge is to go in; nothing out, or the refusal that it would end with, before the work and not after it."""

import os
import shutil
from pathlib import Path

from wembed.checkpoint.carriers import UNREAD_SUFFIXES, WEIGHT_SUFFIXES
from wembed.errors import NotFoundError, UsageError, WembedError

SUFFIX = ".safetensors"

_ANOTHER = "give -o another name"


def check_place(out: Path) -> None:
    """Checks that a merge can go to a place; an empty folder there is nothing.

    Raises:
        UsageError: there is something, or it is named as what is not written.
        NotFoundError: the folder above is missing.
        WembedError: nobody may write there.
    """
    if out.suffix != SUFFIX and out.suffix.lower() in (*WEIGHT_SUFFIXES, *UNREAD_SUFFIXES):
        hint = f"end it in {SUFFIX}, or give the name of a folder"
        raise UsageError(f"cannot write {out}: weights are written as safetensors", hint)
    if out.is_dir() and out.samefile(Path.cwd()):
        raise UsageError(f"{out} is the folder that you are in, which a merge would take the place of", _ANOTHER)
    if out.is_dir() and out.suffix != SUFFIX and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already, and nothing is written over it", f"{_ANOTHER}, or remove it")
    if not out.parent.is_dir():
        raise NotFoundError(f"{out}: its folder does not exist", hint=f"mkdir -p {out.parent}")
    if not os.access(out.parent, os.W_OK):
        raise WembedError(f"cannot write {out}: no permission to write to {out.parent}", "give -o another folder")


def check_room(out: Path, size: int) -> None:
    """Raises a WembedError if as many bytes do not fit on the disk."""
    free = shutil.disk_usage(out.parent).free
    if free < size:
        raise WembedError(f"cannot write {out}: {size:,} bytes do not fit, {free:,} are free", "give -o another disk")
