"""Rows that were pulled in; their files out, which are deleted one by one: a person may have put others beside."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from wembed.catalog import CatalogRow, Zoo
from wembed.zoo.pull.lock import LockIndex


def files_alone(lock: LockIndex, row: CatalogRow, others: Iterable[CatalogRow]) -> list[Path]:
    """Gives the files of a pulled row that no other row needs; none of a row that wasn't pulled.

    Args:
        lock: of the zoo.
        row: whose files.
        others: rows that stay.
    """
    own = lock.files(row)
    for other in others if own else ():
        own -= lock.files(other)
    return sorted(own)


def delete_files(zoo: Zoo, files: Sequence[Path]) -> None:
    """Deletes files of a zoo, and the folders that are empty then.

    Raises:
        OSError: if one can't be deleted.
    """
    root = zoo.root / "checkpoints"
    for file in files:
        file.unlink(missing_ok=True)
    folders = {parent for file in files for parent in file.parents if root in parent.parents}
    for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
