"""The list of a repository's files in; its checkpoints out, each with the files that it needs and no others.

The repository's own folder comes first: only where it holds no weights are those below looked at. Names that are not
chosen do not matter; those that are must be safe to write.
"""

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from wembed.checkpoint.layouts import read_weight_map
from wembed.errors import CheckpointRefusedError
from wembed.hub.repository import RemoteFile, Repository
from wembed.zoo.pull.folders import (
    MAPPED,
    PICKLED,
    Folder,
    Kind,
    beginnings,
    files_beside,
    folder_of,
    is_shard,
    kind_of,
    matching_beginnings,
    pickled_network,
    shards_by_name,
    sort_files,
    stem_of,
)
from wembed.zoo.pull.refusals import check_files, no_checkpoint


@dataclass(frozen=True)
class FilesWanted:
    """Which files of a repository are wanted.

    Args:
        include: globs of weight files, wherever they are; () for what the rule of folders finds.
        exclude: globs of files that are left out.
        pickle: whether pickled weights are taken where there are no others.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    pickle: bool = False

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of weights that are taken, best first."""
        return (MAPPED, PICKLED) if self.pickle else (MAPPED,)


@dataclass(frozen=True)
class RemoteCheckpoint:
    """The files of a checkpoint on the Hub.

    Args:
        name: within its repository: "" for the repository's own, else its folder, or its path without suffix.
        weights: its weight files; of an index that isn't read yet those that are called as its shards.
        index: that says which weights there are.
        beside: small JSON files of its folder.
        listing: its repository, as long as its index is to be read.
    """

    name: str
    weights: tuple[RemoteFile, ...]
    index: RemoteFile | None = None
    beside: tuple[RemoteFile, ...] = ()
    listing: Repository | None = field(default=None, compare=False, repr=False)

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """All of them."""
        return (*self.weights, *((self.index,) if self.index else ()), *self.beside)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    @property
    def local(self) -> str:
        """What is to be opened, from the repository's folder: a folder, or one file of a folder that holds several."""
        beginning = (self.index or self.weights[0]).path
        folder = folder_of(beginning)
        return folder if self.name == folder else beginning


def choose(repository: Repository, wanted: FilesWanted) -> list[RemoteCheckpoint]:
    """Gives the checkpoints of a repository that are wanted; those with an index still need `with_shards`.

    Raises:
        CheckpointRefusedError: if there is none, or one is empty, or has a name that is not safe to write.
    """
    kept = tuple(file for file in dict.fromkeys(repository.files) if not _matches(wanted.exclude, file))
    folders = sort_files(kept)
    begun = _matching(folders, wanted) if wanted.include else _outermost(folders, wanted.kinds)
    listing = dataclasses.replace(repository, files=kept)
    found = [one for path, files in begun.items() for one in _begun_by(files, folders[path], listing)]
    if not found:
        raise no_checkpoint(repository, kept, wanted.kinds)
    chosen = _with_unique_names(found)
    check_files(repository.id, _distinct(chosen))
    return chosen


def with_shards(checkpoint: RemoteCheckpoint, index_text: bytes) -> RemoteCheckpoint:
    """Gives a checkpoint with the weight files that its index names.

    Raises:
        CheckpointRefusedError: if it is no index, or a file that it names is of another kind, outside of its folder,
            missing or empty.
    """
    index, listing = checkpoint.index, checkpoint.listing
    if index is None or listing is None:
        return checkpoint
    where, folder = f"{listing.id}/{index.path}", folder_of(index.path)
    shards = {f"{folder}/{name}" if folder else name: name for name in read_weight_map(index_text, where).values()}
    suffixes = kind_of(index.path).suffixes
    weights = sorted((file for file in listing.files if file.path in shards), key=lambda file: file.path)
    missing = shards.keys() - {file.path for file in weights}
    for path, name in sorted(shards.items()):
        if not path.endswith(suffixes):
            raise CheckpointRefusedError(f"{where}: unsafe: shard {name!r}, expected {' or '.join(suffixes)}")
        if path in missing:
            raise CheckpointRefusedError(f"{where}: shard {name!r} is missing from the repository")
    whole = dataclasses.replace(checkpoint, weights=tuple(weights), listing=None)
    check_files(listing.id, whole.files)
    return whole


def _matching(folders: Mapping[str, Folder], wanted: FilesWanted) -> dict[str, list[RemoteFile]]:
    """What the checkpoints begin with that a person asks for, by folder."""
    matches = functools.partial(_matches, wanted.include)
    return {path: matching_beginnings(folder, wanted.kinds, matches) for path, folder in folders.items()}


def _outermost(folders: Mapping[str, Folder], kinds: Sequence[Kind]) -> dict[str, list[RemoteFile]]:
    """What the checkpoints begin with, by folder, of those folders that don't lie in another one with weights."""
    begun = {path: beginnings(folder, kinds) for path, folder in folders.items()}
    with_weights = {path for path, files in begun.items() if files or pickled_network(folders[path])}
    return {path: files for path, files in begun.items() if not any(above in with_weights for above in _above(path))}


def _above(path: str) -> Iterator[str]:
    """The folders that a folder lies in, the repository's own first."""
    if path:
        yield ""
    yield from (path[: slash.start()] for slash in re.finditer("/", path))


def _begun_by(beginnings: Sequence[RemoteFile], folder: Folder, listing: Repository) -> Iterator[RemoteCheckpoint]:
    """The checkpoints of a folder."""
    if not beginnings:
        return
    beside, shards = files_beside(folder), shards_by_name(folder)
    for file in beginnings:
        stem = f"{folder.path}/{stem_of(file.path)}" if folder.path else stem_of(file.path)
        name = folder.path if len(beginnings) == 1 else stem
        if file.path in shards:
            yield RemoteCheckpoint(name, tuple(shards[file.path]), file, beside, listing)
        elif is_shard(file):
            raise CheckpointRefusedError(f"{listing.id}: {file.path!r} is one of several shards without an index")
        else:
            yield RemoteCheckpoint(name, (file,), beside=beside)


def _with_unique_names(found: Sequence[RemoteCheckpoint]) -> list[RemoteCheckpoint]:
    """The same, of which those whose name another one has too go by the path of their file."""
    counts = Counter(one.name for one in found)
    return [dataclasses.replace(one, name=one.local) if counts[one.name] > 1 else one for one in found]


def _distinct(checkpoints: Iterable[RemoteCheckpoint]) -> list[RemoteFile]:
    """The files of all checkpoints, each of them once."""
    return list({id(file): file for one in checkpoints for file in one.files}.values())


def _matches(globs: Sequence[str], file: RemoteFile) -> bool:
    return any(_pattern(glob).match(file.path) for glob in globs)


@functools.cache
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))
