"""Rows of a zoo in; they are taken out of the catalog, and their files are deleted where the zoo owns them.

A row goes before its file: a crash in between leaves a file that no row names, never a row without its file.
"""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wembed.catalog import CatalogRow, Zoo
from wembed.errors import WembedError

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
        return [_with_file_deleted(zoo, removal) for removal in planned]


def _fate(zoo: Zoo, row: CatalogRow, needed: Collection[Path]) -> Fate:
    path = zoo.path_of(row)
    if not path.exists() and not path.is_symlink():
        return "missing"
    owned = (zoo.root / _OWNED).resolve()
    is_inside = path.parent.resolve().is_relative_to(owned) and path.name not in ("", "..")
    return "deleted" if is_inside and path not in needed else "kept"


def _with_file_deleted(zoo: Zoo, removal: Removal) -> Removal:
    if removal.file != "deleted":
        return removal
    path = zoo.path_of(removal.row)
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        reason = f"cannot delete {path}: {(error.strerror or str(error)).lower()}"
        return Removal(removal.row, "kept", removal.children, WembedError(reason, "delete it yourself"))
    return removal
