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
from wembed.hub.repository import RemoteFile
from wembed.zoo.pull.candidate import Candidate
from wembed.zoo.pull.choose import RemoteCheckpoint
from wembed.zoo.pull.enter import enter, set_parents
from wembed.zoo.pull.lock import LockedCheckpoint, LockedRepository, LockKey, append_to_lock


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
        missing: the checkpoints.
    """

    def __init__(self, zoo: Zoo, missing: Sequence[Candidate]) -> None:
        self._zoo = zoo
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
        )
        try:
            row = enter(self._zoo, dataclasses.replace(candidate, checkpoint=checkpoint))
        except CheckpointRefusedError as error:
            self._delete(pending)
            checkpoint = dataclasses.replace(candidate.checkpoint, refused=error.message, refused_by=wembed.__version__)
            return self._over(pending, checkpoint, Pulled(candidate, "failed", error=error))
        except WembedError as error:
            return self.fail(pending, error)
        pending.row_id = row.id
        return self._over(pending, checkpoint, Pulled(candidate, "pulled", row))

    def fail(self, pending: Pending, error: WembedError) -> Pulled:
        """Gives up a checkpoint; what is there of it stays, for the next time."""
        return self._over(pending, pending.candidate.checkpoint, Pulled(pending.candidate, "failed", error=error))

    def close(self) -> None:
        """Writes down what is known of the repositories that aren't done, and brings the rows into their order."""
        append_to_lock(self._zoo, [self._source(key) for key, left in self._left.items() if left])
        set_parents(self._zoo)
        self._zoo.put_in_order([pending.row_id for pending in self.pending if pending.row_id])

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

    def _delete(self, pending: Pending) -> None:
        """Deletes the files of a checkpoint that no other one of its repository has."""
        own = pending.candidate.checkpoint.remote.name
        others = {
            file.path
            for name, checkpoint in self._known[pending.candidate.source.key].items()
            if name != own
            for file in checkpoint.remote.files
        }
        for target, file in pending.files.items():
            if file.path not in others:
                target.unlink(missing_ok=True)


def _with_hashes(remote: RemoteCheckpoint, files: Iterable[RemoteFile]) -> RemoteCheckpoint:
    found = {file.path: file for file in files}
    return dataclasses.replace(
        remote,
        weights=tuple(found[file.path] for file in remote.weights),
        index=found[remote.index.path] if remote.index else None,
        beside=tuple(found[file.path] for file in remote.beside),
    )
