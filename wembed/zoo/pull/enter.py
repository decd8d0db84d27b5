"""A pulled checkpoint in; its row in the catalog, with what its card says, out."""

import dataclasses
import itertools
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from wembed.catalog import CatalogRow, Zoo
from wembed.zoo.pull.candidate import COMMIT_SHOWN, SCHEME, Candidate
from wembed.zoo.pull.scores import all_scores, comparable_scores
from wembed.zoo.read import ReadFile, read_file


def enter(zoo: Zoo, candidate: Candidate) -> CatalogRow:
    """Reads a checkpoint whose files are all there, and gives it a row.

    The row of an older commit stays, under an id that names the commit, unless it holds the same weights.

    Raises:
        CheckpointRefusedError: if it can't be taken in.
    """
    path = candidate.path(zoo)
    values = _values(read_file(zoo, path, None), candidate)
    with zoo.locked():
        rows = {row.id: row for row in zoo.rows()}
        known = next((row for row in rows.values() if row.path == zoo.stored_path(path)), None)
        if known:
            row = dataclasses.replace(known, **values)
            zoo.append([row] if row != known else [])
            return row
        added = datetime.now(UTC).isoformat(timespec="seconds")
        row = CatalogRow(candidate.id, zoo.stored_path(path), added=added, **values)
        holder = rows.get(row.id)
        if holder is None:
            zoo.append([row])
        elif holder.source != row.source:  # somebody else's id
            row = _with_commit(row, rows)
            zoo.append([row])
        elif holder.content != row.content:
            zoo.append([_with_commit(holder, rows), row])
        else:
            zoo.append([row])
            _delete(zoo, holder)
    return row


def set_parents(zoo: Zoo) -> None:
    """Gives parents that are in the zoo the ids that they have there; cards call them by their names on the Hub."""
    with zoo.locked():
        rows = zoo.rows()
        names = _names(rows)
        ids = {row.id for row in rows}
        changed = []
        for row in rows:
            if (row.source or "").startswith(SCHEME):
                new = dataclasses.replace(
                    row,
                    parent=_id_of(row.parent, row, ids, names),
                    other_parent=_id_of(row.other_parent, row, ids, names),
                )
                changed += [new] if new != row else []
        zoo.append(changed)


def _values(read: ReadFile, candidate: Candidate) -> dict[str, Any]:  # Any: each of its column's own type
    card, bases = candidate.card, candidate.card.base_models
    described: dict[str, object] = {
        "source": f"{SCHEME}{candidate.source.repository.id}",
        "revision": candidate.source.repository.commit,
        "licence": card.licence,
        "tags": list(card.tags),
        "downloads": card.downloads,
        "architecture": read.values.get("architecture") or card.model_type,
        "task": card.pipeline,
        "parent": candidate.parent,
        "other_parent": bases[1] if len(bases) > 1 and not candidate.source.parent else None,
        "derivation": card.relation,
        "metrics": all_scores(card.metrics),
        **comparable_scores(card.metrics),
    }
    return read.values | {name: value for name, value in described.items() if value is not None}


def _with_commit(row: CatalogRow, rows: Mapping[str, CatalogRow]) -> CatalogRow:
    """The same under an id that no row has, which names the commit."""
    named = f"{row.id}@{(row.revision or '')[:COMMIT_SHOWN]}"
    names = itertools.chain([named], (f"{named}-{number}" for number in itertools.count(2)))
    return dataclasses.replace(row, id=next(name for name in names if name not in rows))


def _delete(zoo: Zoo, row: CatalogRow) -> None:
    """Deletes the files of an older commit, whose bytes are all in the newer one."""
    path = zoo.path_of(row)
    if any(other.path.startswith(f"{row.path}/") or other.path == row.path for other in zoo.rows()):
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _names(rows: list[CatalogRow]) -> dict[str, str]:
    """The ids of what comes from the Hub, by all that cards call it: with or without its organisation."""
    names: dict[str, str] = {}
    bare: dict[str, set[str]] = {}
    for row in rows:
        repository = (row.source or "").removeprefix(SCHEME)
        if (row.source or "").startswith(SCHEME) and row.id.startswith(repository):
            if row.id == repository or repository.lower() not in names:
                names[repository.lower()] = row.id
            bare.setdefault(repository.lower().rpartition("/")[2], set()).add(repository.lower())
    return names | {name: names[owners.pop()] for name, owners in bare.items() if len(owners) == 1}


def _id_of(parent: str | None, row: CatalogRow, ids: set[str], names: Mapping[str, str]) -> str | None:
    if parent is None or parent in ids:
        return parent
    found = names.get(parent.lower(), parent)
    return found if found != row.id else None
