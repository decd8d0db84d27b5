"""Book: the catalog and the lock of a zoo while checkpoints arrive.

A row goes into the catalog before the lock says that it was pulled, so that whatever the lock says is so.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import wembed
from wembed.catalog import CatalogRow, Zoo
from wembed.errors import CheckpointRefusedError, WembedError
from wembed.hub.download import remove_left_over
from wembed.hub.repository import RemoteFile
from wembed.zoo.pull.candidate import Candidate
from wembed.zoo.pull.choose import RemoteCheckpoint
from wembed.zoo.pull.enter import Entry
from wembed.zoo.pull.files import delete_files
from wembed.zoo.pull.lock import LockedCheckpoint, LockedRepository, LockIndex, LockKey, append_to_lock

PARTIALS = "downloads"  # folder of a zoo


@dataclass(frozen=True)
class Pulled:
    """What became of a checkpoint.

    Args:
        candidate: which.
        status: pulled now, there already, or not to be had.
        row: of the catalog, unless it failed.
        error: why it failed.
    """

    candidate: Candidate
    status: Literal["pulled", "unchanged", "failed"]
    row: CatalogRow | None = None
    error: WembedError | None = None


@dataclass(eq=False)
class Pending:
    """A checkpoint on its way.

    Args:
        candidate: which.
        targets: where its files go, in the order of the files.
        files: those that are there, with their hashes.
        is_over: whether it is in the zoo, or cannot be.
        row_id: of its row, once it is there.
    """

    candidate: Candidate
    targets: tuple[Path, ...]
    files: dict[Path, RemoteFile] = field(default_factory=dict)
    is_over: bool = False
    row_id: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all of its files are there."""
        return len(self.files) == len(self.targets)


class Book:
    """What becomes of the checkpoints that are missing.

    Args:
        zoo: where they go.
        lock: what was pulled before.
        candidates: of a plan; those with a row are there already.
    """

    def __init__(self, zoo: Zoo, lock: LockIndex, candidates: Sequence[Candidate]) -> None:
        missing = [one for one in candidates if not one.row]
        self._zoo = zoo
        self._entry = Entry(zoo, lock, {zoo.stored_path(one.path(zoo)) for one in candidates})
        self.pending = [
            Pending(one, tuple(one.source.folder(zoo) / file.path for file in one.checkpoint.remote.files))
            for one in missing
        ]
        self._sources = {one.source.key: one.source for one in missing}
        self._known = {
            key: {checkpoint.remote.name: checkpoint for checkpoint in source.checkpoints}
            for key, source in self._sources.items()
        }
        self._left = Counter(one.source.key for one in missing)

    def enter(self, pending: Pending) -> Pulled:
        """Gives a checkpoint whose files are all there its row."""
        candidate = pending.candidate
        checkpoint = dataclasses.replace(
            candidate.checkpoint,
            remote=_with_hashes(candidate.checkpoint.remote, pending.files.values()),
            is_pulled=True,
            refused="",
            hint="",
            refused_by="",
        )
        try:
            row = self._entry.enter(dataclasses.replace(candidate, checkpoint=checkpoint))
        except WembedError as error:
            is_refused = isinstance(error, CheckpointRefusedError) and not isinstance(error.__cause__, OSError)
            return self._refuse(pending, error) if is_refused else self.fail(pending, error)
        pending.row_id = row.id
        return self._over(pending, checkpoint, Pulled(candidate, "pulled", row))

    def _refuse(self, pending: Pending, error: WembedError) -> Pulled:
        """Gives up a checkpoint that this version of wembed cannot take in; its files go."""
        candidate = pending.candidate
        shared = self._paths_of_others(candidate)
        delete_files(self._zoo, [target for target, file in pending.files.items() if file.path not in shared])
        reason = error.message.replace(str(candidate.path(self._zoo)), candidate.id)
        checkpoint = dataclasses.replace(
            candidate.checkpoint, refused=reason, hint=error.hint, refused_by=wembed.__version__
        )
        return self._over(pending, checkpoint, Pulled(candidate, "failed", error=error))

    def fail(self, pending: Pending, error: WembedError) -> Pulled:
        """Gives up a checkpoint; what is there of it stays, for the next time."""
        return self._over(pending, pending.candidate.checkpoint, Pulled(pending.candidate, "failed", error=error))

    def close(self) -> None:
        """Writes down what is known of the repositories that aren't done, and brings the rows into their order."""
        append_to_lock(self._zoo, [self._source(key) for key, left in self._left.items() if left])
        self._zoo.put_in_order([pending.row_id for pending in self.pending if pending.row_id])
        there: dict[tuple[str, str], bool] = {}
        for pending in self.pending:
            for target, file in zip(pending.targets, pending.candidate.checkpoint.remote.files, strict=True):
                key = (pending.candidate.source.repository.id, file.path)
                there[key] = there.get(key, True) and target in pending.files
        remove_left_over(self._zoo.root / PARTIALS, {key for key, is_there in there.items() if is_there})

    def _over(self, pending: Pending, checkpoint: LockedCheckpoint, pulled: Pulled) -> Pulled:
        pending.is_over = True
        key = pending.candidate.source.key
        self._known[key][checkpoint.remote.name] = checkpoint
        self._left[key] -= 1
        if not self._left[key]:
            append_to_lock(self._zoo, [self._source(key)])
        return pulled

    def _source(self, key: LockKey) -> LockedRepository:
        return dataclasses.replace(self._sources[key], checkpoints=tuple(self._known[key].values()))

    def _paths_of_others(self, candidate: Candidate) -> set[str]:
        """The files that other checkpoints of the same repository have."""
        known = self._known[candidate.source.key].items()
        others = (checkpoint for name, checkpoint in known if name != candidate.checkpoint.remote.name)
        return {file.path for checkpoint in others for file in checkpoint.remote.files}


def _with_hashes(remote: RemoteCheckpoint, files: Iterable[RemoteFile]) -> RemoteCheckpoint:
    found = {file.path: file for file in files}
    return dataclasses.replace(
        remote,
        weights=tuple(found[file.path] for file in remote.weights),
        index=found[remote.index.path] if remote.index else None,
        beside=tuple(found[file.path] for file in remote.beside),
    )
