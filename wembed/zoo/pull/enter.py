"""A pulled checkpoint in; its row in the catalog, with what its card says, out."""

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from wembed.catalog import CatalogRow, Zoo
from wembed.zoo.pull.candidate import SCHEME, Candidate
from wembed.zoo.pull.catalog import KnownRows
from wembed.zoo.pull.files import delete_files, files_alone
from wembed.zoo.pull.lock import COMMIT_SHOWN, LockIndex
from wembed.zoo.pull.scores import all_scores, comparable_scores
from wembed.zoo.read import ReadFile, read_file


class Entry:
    """The catalog of a zoo while checkpoints are entered.

    Args:
        zoo: whose catalog.
        lock: what was pulled before.
        kept: paths of checkpoints that are wanted, whatever replaces them.
    """

    def __init__(self, zoo: Zoo, lock: LockIndex, kept: Collection[str]) -> None:
        self._zoo, self._lock, self._kept = zoo, lock, kept
        self._known = KnownRows(zoo)

    def enter(self, candidate: Candidate) -> CatalogRow:
        """Reads a checkpoint whose files are all there, and gives it a row.

        The row of an older commit stays, under an id that names the commit, unless it holds the same weights.

        Raises:
            CheckpointRefusedError: if it can't be taken in.
        """
        path = candidate.path(self._zoo)
        values = _values(read_file(self._zoo, path, None), candidate)
        with self._known.open():
            known = self._known.by_path.get(self._zoo.stored_path(path))
            if known:
                row = dataclasses.replace(known, **values)
                self._known.append([row] if row != known else [])
                return row
            added = datetime.now(UTC).isoformat(timespec="seconds")
            return self._new(candidate, CatalogRow(candidate.id, self._zoo.stored_path(path), added=added, **values))

    def _new(self, candidate: Candidate, row: CatalogRow) -> CatalogRow:
        holder = self._known.by_id.get(row.id)
        if holder is None:
            self._known.append([row])
        elif not self._is_older(holder, candidate):  # its id is taken by something else
            row = self._with_commit(row)
            self._known.append([row])
        elif holder.content == row.content and holder.path not in self._kept:
            self._known.append([row])
            delete_files(self._zoo, files_alone(self._lock, holder, self._known.by_id.values()))
        else:
            self._known.append([self._with_commit(holder), row])
        return row

    def _is_older(self, holder: CatalogRow, candidate: Candidate) -> bool:
        """Whether a row is what the same wish gave before."""
        source = candidate.source
        wish = (source.repository.id, source.revision, source.wanted)
        before = (locked.entry for locked in self._lock.find(holder))
        return any((entry.repository.id, entry.revision, entry.wanted) == wish for entry in before)

    def _with_commit(self, row: CatalogRow) -> CatalogRow:
        """The same under an id that no row has, which names the commit."""
        named = f"{row.id}@{(row.revision or '')[:COMMIT_SHOWN]}"
        names = itertools.chain([named], (f"{named}-{number}" for number in itertools.count(2)))
        return dataclasses.replace(row, id=next(name for name in names if name not in self._known.by_id))


def set_parents(zoo: Zoo, given: Mapping[str, str]) -> None:
    """Gives parents that are in the zoo the ids that they have there; cards call them by their names on the Hub.

    Args:
        zoo: whose rows.
        given: parents that manifests name, by id of the child.
    """
    if not _changed_parents(zoo.rows(), given):
        return
    with zoo.locked():
        zoo.append(_changed_parents(zoo.rows(), given))


def _changed_parents(rows: Iterable[CatalogRow], given: Mapping[str, str]) -> list[CatalogRow]:
    pulled = [row for row in rows if (row.source or "").startswith(SCHEME)]
    names, ids = _names(pulled), {row.id for row in rows}
    changed = []
    for row in pulled:
        parent = _id_of(given.get(row.id) or row.parent, row, ids, names)
        other = _id_of(row.other_parent, row, ids, names)
        new = dataclasses.replace(row, parent=parent, other_parent=other)
        changed += [new] if new != row else []
    return changed


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


def _names(pulled: Iterable[CatalogRow]) -> dict[str, str]:
    """The ids of what comes from the Hub, by all that cards call it: with or without its organisation."""
    names: dict[str, str] = {}
    bare: dict[str, set[str]] = {}
    for row in pulled:
        repository = (row.source or "").removeprefix(SCHEME)
        if row.id.startswith(repository):
            if row.id == repository or repository.lower() not in names:
                names[repository.lower()] = row.id
            bare.setdefault(repository.lower().rpartition("/")[2], set()).add(repository.lower())
    return names | {name: names[owners.pop()] for name, owners in bare.items() if len(owners) == 1}


def _id_of(parent: str | None, row: CatalogRow, ids: Collection[str], names: Mapping[str, str]) -> str | None:
    if parent is None:
        return None
    found = parent if parent in ids else names.get(parent.lower(), parent)
    is_itself = found == row.id or f"{SCHEME}{found}".lower() == (row.source or "").lower()
    return None if is_itself else found
