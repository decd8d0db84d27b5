"""A repository that is wanted in; what the lock or the Hub knows before its weights are fetched out."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from wembed.errors import NotFoundError, WembedError
from wembed.hub.headers import remote_header, small_file
from wembed.hub.listing import find_repository
from wembed.hub.names import is_commit
from wembed.hub.repository import Repository
from wembed.hub.session import Hub
from wembed.zoo.failure import Failure
from wembed.zoo.pull.choose import choose, with_shards
from wembed.zoo.pull.lock import LockedCheckpoint, LockedRepository
from wembed.zoo.pull.order import Limits, Wish

_MEASURED = ".safetensors"


class Found(NamedTuple):
    """A repository.

    Args:
        source: with the checkpoints that can be pulled.
        failures: why others cannot.
    """

    source: LockedRepository
    failures: list[Failure]


def look_up(wish: Wish, lock: Sequence[LockedRepository], hub: Hub | None, limits: Limits) -> Found:
    """Gives a repository; what the lock knows for sure is not asked for again, as a commit never changes.

    Args:
        wish: which.
        lock: of the zoo.
        hub: where to ask; None where only the lock may be asked.
        limits: headers are read of what is within them.

    Raises:
        NotFoundError: if it isn't there.
        CheckpointRefusedError: if it holds no checkpoint, or its names or its index are not safe.
        HubError: if the Hub refuses or can't be reached.
    """
    source = _source(wish, lock, hub)
    if wish.parent:
        source = dataclasses.replace(source, parent=wish.parent)
    return _measured(source, hub, limits) if hub else Found(source, [])


def _source(wish: Wish, lock: Sequence[LockedRepository], hub: Hub | None) -> LockedRepository:
    known = [entry for entry in lock if entry.wanted == wish.files and wish.repo in (entry.asked, entry.repository.id)]
    if hub is None or is_commit(wish.revision):
        same = [entry for entry in known if wish.revision in (entry.revision, entry.repository.commit)]
        if same:
            return same[-1]
    if hub is None:
        raise NotFoundError(f"{wish.name}: not in the lock of the zoo", "pull it once without --offline")
    repository = find_repository(hub, wish.repo, wish.revision or None)
    here = (wish.revision, repository.commit)
    same = [entry for entry in known if (entry.revision, entry.repository.commit) == here]
    return same[-1] if same else _chosen(wish, repository, hub)


def _chosen(wish: Wish, repository: Repository, hub: Hub) -> LockedRepository:
    """The checkpoints of a repository, with the shards that its indexes name."""
    checkpoints = [
        with_shards(remote, small_file(hub, repository, remote.index)) if remote.index else remote
        for remote in choose(repository, wish.files)
    ]
    files = tuple(dict.fromkeys(file for remote in checkpoints for file in remote.files))
    return LockedRepository(
        asked=wish.repo,
        revision=wish.revision,
        wanted=wish.files,
        repository=dataclasses.replace(repository, files=files),
        checkpoints=tuple(map(LockedCheckpoint, checkpoints)),
    )


def _measured(source: LockedRepository, hub: Hub, limits: Limits) -> Found:
    """The same with the parameters of the checkpoints whose headers can be read; what is broken there is told now."""
    kept, failures = [], []
    for checkpoint in source.checkpoints:
        try:
            is_wanted = limits.allow_listed(checkpoint.remote.bytes, source.repository.card)
            kept.append(_with_headers(hub, source.repository, checkpoint) if is_wanted else checkpoint)
        except WembedError as error:
            name = "/".join(filter(None, (source.repository.id, checkpoint.remote.name)))
            failures.append(Failure(name, error))
    return Found(dataclasses.replace(source, checkpoints=tuple(kept)), failures)


def _with_headers(hub: Hub, repository: Repository, checkpoint: LockedCheckpoint) -> LockedCheckpoint:
    is_known = checkpoint.params is not None or checkpoint.is_pulled or checkpoint.refused
    weights = checkpoint.remote.weights
    if is_known or not all(file.path.endswith(_MEASURED) for file in weights):
        return checkpoint
    headers = [remote_header(hub, repository, file) for file in weights]
    floating = [info for header in headers for info in header.tensors.values() if info.is_floating]
    dtypes = ",".join(sorted({info.dtype for info in floating}))
    return dataclasses.replace(checkpoint, params=sum(info.size for info in floating), dtypes=dtypes)
