"""A repository that is wanted in; what the lock or the Hub knows before its weights are fetched out."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wembed.checkpoint.header import Header
from wembed.errors import NotFoundError, WembedError
from wembed.hub.headers import FIRST_BYTES, remote_header, small_file
from wembed.hub.listing import find_repository
from wembed.hub.names import is_commit
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Hub, StoppedError
from wembed.zoo.failure import Failure
from wembed.zoo.pull.choose import choose, with_shards
from wembed.zoo.pull.fetch import ONLINE
from wembed.zoo.pull.lock import LockedCheckpoint, LockedRepository
from wembed.zoo.pull.order import Limits, Wish
from wembed.zoo.pull.workers import Outcome, in_parallel

_MEASURED = ".safetensors"
_AT_ONCE = 8  # headers of one repository
_LEAST_READ = 8_000  # bytes of a header, of the many shards of a repository


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
        raise NotFoundError(f"{wish.name}: not in the lock of the zoo", ONLINE)
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
    repository = source.repository
    measured = [one for one in source.checkpoints if _is_to_measure(one, repository, limits)]
    files = list(dict.fromkeys(file for one in measured for file in one.remote.weights))
    first = max(_LEAST_READ, FIRST_BYTES // max(1, len(files)))
    calls = [functools.partial(remote_header, hub, repository, file, first) for file in files]
    headers = {files[outcome.number]: outcome for outcome in in_parallel(calls, _AT_ONCE, hub.stop)}
    kept, failures = [], []
    for checkpoint in source.checkpoints:
        try:
            kept.append(_with_headers(checkpoint, headers) if checkpoint in measured else checkpoint)
        except WembedError as error:
            name = "/".join(filter(None, (repository.id, checkpoint.remote.name)))
            failures.append(Failure(name, error))
    return Found(dataclasses.replace(source, checkpoints=tuple(kept)), failures)


def _is_to_measure(checkpoint: LockedCheckpoint, repository: Repository, limits: Limits) -> bool:
    is_known = checkpoint.params is not None or checkpoint.is_pulled or checkpoint.refused
    is_readable = all(file.path.endswith(_MEASURED) for file in checkpoint.remote.weights)
    return not is_known and is_readable and limits.allow_listed(checkpoint.remote.bytes, repository.card)


def _with_headers(checkpoint: LockedCheckpoint, headers: Mapping[RemoteFile, Outcome[Header]]) -> LockedCheckpoint:
    read = [headers[file].given() for file in checkpoint.remote.weights if file in headers]
    if len(read) < len(checkpoint.remote.weights):
        raise StoppedError
    floating = [info for header in read for info in header.tensors.values() if info.is_floating]
    dtypes = ",".join(sorted({info.dtype for info in floating}))
    return dataclasses.replace(checkpoint, params=sum(info.size for info in floating), dtypes=dtypes)
