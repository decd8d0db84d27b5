"""What --data says in; the data set out."""

from pathlib import Path
from typing import TYPE_CHECKING

from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.models import Dataset


def open_dataset(text: str) -> "Dataset":
    """Gives the data set of `NAME`, or of `NAME=PATH` for one of one's own, its labels in the last column.

    Raises:
        UsageError: a part of it is empty, or name and file do not fit.
        NotFoundError: there is none of that name, or no such file.
        CheckpointRefusedError: the file is broken, or no classification task.
    """
    from wembed.models import DataFile, load_dataset

    name, is_file, path = text.partition("=")
    if is_file and not (name and path):
        raise UsageError(f"--data {text}: expected NAME or NAME=PATH")
    return load_dataset(name, DataFile(path=Path(path)) if is_file else None)
