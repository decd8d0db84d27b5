"""Rows of a zoo in; they are taken out of the catalog, and their files are deleted where the zoo owns them.

A row goes before its file: a crash in between leaves a file that no row names, never a row without its file.
"""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wembed.catalog import HUB_LOCK, CatalogRow, Zoo
from wembed.errors import WembedError

if TYPE_CHECKING:
    from wembed.zoo.pull.lock import LockIndex

Fate = Literal["deleted", "kept", "missing"]

_OWNED = "checkpoints"


@dataclass(frozen=True)
class Removal:
    """What becomes of a row.

    Args:
        row: which is taken out.
        file: whether the file is deleted; kept, since the zoo does not own it or another row has it; or not there.
        children: ids of the rows that stay and go on naming it as a parent.
        error: why the file could not be deleted.
    """

    row: CatalogRow
    file: Fate
    children: tuple[str, ...]
    error: WembedError | None = None


def plan_removal(zoo: Zoo, chosen: Sequence[CatalogRow]) -> list[Removal]:
    """What would become of some rows; nothing is written.

    Args:
        zoo: that holds them.
        chosen: the rows, each once.
    """
    ids = {row.id for row in chosen}
    staying = [row for row in zoo.rows() if row.id not in ids]
    needed = {place for row in staying for place in (zoo.path_of(row), *zoo.path_of(row).parents)}
    children: dict[str | None, list[str]] = {row.id: [] for row in chosen}
    for row in staying:
        for parent in {row.parent, row.other_parent}:
            if parent in ids:
                children[parent].append(row.id)
    return [Removal(row, _fate(zoo, row, needed), tuple(children[row.id])) for row in chosen]


def remove(zoo: Zoo, chosen: Sequence[CatalogRow]) -> list[Removal]:
    """Takes rows out of a zoo, and deletes those of their files that lie in its folder of checkpoints.

    Args:
        zoo: that holds them.
        chosen: the rows, each once.
    """
    with zoo.locked():
        planned = plan_removal(zoo, chosen)
        zoo.remove({row.id for row in chosen})
        pulled = _PulledFiles(zoo)
        return [_with_file_deleted(zoo, removal, pulled) for removal in planned]


def _fate(zoo: Zoo, row: CatalogRow, needed: Collection[Path]) -> Fate:
    path = zoo.path_of(row)
    if not path.exists() and not path.is_symlink():
        return "missing"
    owned = (zoo.root / _OWNED).resolve()
    is_inside = path.parent.resolve().is_relative_to(owned) and path.name not in ("", "..")
    return "deleted" if is_inside and path not in needed else "kept"


class _PulledFiles:
    """The files of rows that came from the Hub, which the lock lists; a folder may hold others.

    Args:
        zoo: from whose catalog the rows have gone.
    """

    def __init__(self, zoo: Zoo) -> None:
        self._zoo, self._staying = zoo, zoo.rows()
        self._has_lock = (zoo.root / HUB_LOCK).exists()

    def delete(self, row: CatalogRow) -> bool:
        """Deletes those of a row that no other one needs, and says whether there were any."""
        if not self._has_lock:
            return False
        from wembed.zoo.pull.files import delete_files, files_alone

        files = files_alone(self._lock, row, self._staying)
        delete_files(self._zoo, files)
        return bool(files)

    @cached_property
    def _lock(self) -> "LockIndex":
        from wembed.zoo.pull.lock import LockIndex

        return LockIndex(self._zoo)


def _with_file_deleted(zoo: Zoo, removal: Removal, pulled: _PulledFiles) -> Removal:
    if removal.file != "deleted":
        return removal
    path = zoo.path_of(removal.row)
    try:
        if pulled.delete(removal.row):
            return removal
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        reason = f"cannot delete {path}: {(error.strerror or str(error)).lower()}"
        return Removal(removal.row, "kept", removal.children, WembedError(reason, "delete it yourself"))
    return removal
