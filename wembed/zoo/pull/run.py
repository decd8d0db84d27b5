"""Planned checkpoints in; in the zoo out: files are fetched, some at once, and whatever is whole gets its row."""

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import wembed
from wembed.catalog import Zoo
from wembed.errors import CheckpointRefusedError, WembedError
from wembed.hub.repository import RemoteFile
from wembed.zoo.pull.book import PARTIALS, Book, Pending, Pulled
from wembed.zoo.pull.candidate import Candidate
from wembed.zoo.pull.enter import set_parents
from wembed.zoo.pull.fetch import Told, Wanted, fetch
from wembed.zoo.pull.lock import LockIndex, lock_of
from wembed.zoo.pull.plan import Reach
from wembed.zoo.pull.workers import in_parallel


def pull(zoo: Zoo, candidates: Sequence[Candidate], reach: Reach, told: Told) -> Iterator[Pulled]:
    """Pulls checkpoints, and gives each when it is done; those that are there already first.

    Args:
        zoo: where they go; it is made if it isn't there.
        candidates: of a plan.
        reach: where to fetch from; only the disk where there is no Hub.
        told: hears how far every file is, from several threads.
    """
    there = [candidate for candidate in candidates if candidate.row]
    yield from (Pulled(candidate, "unchanged", candidate.row) for candidate in there)
    given = {candidate.id: candidate.source.parent for candidate in there if candidate.source.parent}
    if len(there) < len(candidates):
        zoo = Zoo.create(zoo.root)
        yield from _pulled(zoo, Book(zoo, LockIndex(zoo), candidates), reach, told)
    if Zoo.is_zoo(zoo.root):
        set_parents(zoo, given)


def _pulled(zoo: Zoo, book: Book, reach: Reach, told: Told) -> Iterator[Pulled]:
    try:
        for pending in book.pending:
            checkpoint = pending.candidate.checkpoint
            if checkpoint.refused_by == wembed.__version__:
                yield book.fail(pending, CheckpointRefusedError(checkpoint.refused, checkpoint.hint))
        yield from _fetched(zoo, book, reach, told)
    finally:
        book.close()


def _fetched(zoo: Zoo, book: Book, reach: Reach, told: Told) -> Iterator[Pulled]:
    """Fetches the files in the order of the checkpoints; those of a checkpoint that has failed are left."""
    copies = _copies(zoo)
    users: dict[Path, list[Pending]] = defaultdict(list)
    wanted: dict[Path, Wanted] = {}
    for pending in book.pending:
        for target, file in zip(pending.targets, pending.candidate.checkpoint.remote.files, strict=True):
            users[target].append(pending)
            wanted[target] = Wanted(pending.candidate.source.repository, file, target)

    def fetch_one(one: Wanted) -> RemoteFile | None:
        if all(pending.is_over for pending in users[one.target]):
            return None
        return fetch(one, reach.hub, zoo.root / PARTIALS, copies.get(one.file.sha256, ()), told)

    targets = list(wanted)
    calls = [functools.partial(fetch_one, one) for one in wanted.values()]
    for outcome in in_parallel(calls, reach.jobs, reach.stop):
        target = targets[outcome.number]
        for pending in [pending for pending in users[target] if not pending.is_over]:
            if isinstance(outcome.error, WembedError):
                yield book.fail(pending, outcome.error)
                continue
            fetched = outcome.given()
            if fetched:
                pending.files[target] = fetched
            if pending.is_whole:
                yield book.enter(pending)


def _copies(zoo: Zoo) -> dict[str, list[Path]]:
    """Where the zoo has files of other repositories and commits, by their sha256."""
    places: dict[str, list[Path]] = defaultdict(list)
    for entry in lock_of(zoo):
        for checkpoint in entry.checkpoints:
            if entry.is_whole(zoo, checkpoint):
                for file in checkpoint.remote.files:
                    places[file.sha256].append(entry.folder(zoo) / file.path)
    return places
