"""Copying a checkpoint into a zoo, whole or not at all."""

import os
import shutil
from pathlib import Path

from wembed.checkpoint import Checkpoint
from wembed.errors import WembedError


def copy_checkpoint(checkpoint: Checkpoint, target: Path) -> None:
    """Copies a checkpoint's file, or its folder's weights and config, to a path that is replaced if it is there.

    Raises:
        WembedError: if it can't be written.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if checkpoint.path.is_dir():
            _copy_folder(checkpoint, partial)
            shutil.rmtree(target, ignore_errors=True)
        else:
            _copy_file(checkpoint.path, partial)
        partial.replace(target)
    except OSError as error:
        raise WembedError(f"cannot write {target}: {(error.strerror or '').lower()}", "is the disk full?") from error
    finally:
        _remove(partial)


def _copy_folder(checkpoint: Checkpoint, target: Path) -> None:
    beside = [*checkpoint.path.glob("*.index.json"), checkpoint.path / "config.json"]
    for file in (*checkpoint.files, *beside):
        if file.is_file():
            copied = target / file.relative_to(checkpoint.path)
            copied.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(file, copied)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        shutil.copyfileobj(reader, writer)
        writer.flush()
        os.fsync(writer.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
