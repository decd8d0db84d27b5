"""The lock of a zoo: every repository that it pulled, at which commit, and the sha256 of every file.

A file of JSON lines beside the catalog, of which the last one of a repository, revision, commit and choice of files
wins. It is all that a pull needs to be repeated exactly, and to be checked without the Hub.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from wembed.catalog import HUB_LOCK, CatalogRow, Zoo
from wembed.catalog.zoo import append_lines
from wembed.checkpoint import combined_hash
from wembed.errors import UsageError, WembedError
from wembed.hub.names import RepositoryName, is_revision
from wembed.hub.repository import Repository
from wembed.zoo.pull.choose import FilesWanted, RemoteCheckpoint
from wembed.zoo.pull.trust import check_checkpoint, check_count, check_repository, check_text

COMMIT_SHOWN = 12  # characters of a commit in the name of a folder, and in an id
_CHOICE_SHOWN = 6  # characters of a hash in the name of a folder


LockKey = tuple[str, str, str, FilesWanted]  # repository, revision, commit, choice of files


@dataclass(frozen=True)
class LockedCheckpoint:
    """A checkpoint of a repository, as it was planned and perhaps pulled.

    Args:
        remote: its files; the sha256 of each of them where it was pulled.
        params: number of parameters by its headers; None where these aren't known.
        dtypes: of its floating-point tensors.
        is_pulled: whether all of its files were.
        refused: why wembed could not take it in, though all files were there.
        hint: what to do about that.
        refused_by: the version of wembed that said so.
    """

    remote: RemoteCheckpoint
    params: int | None = None
    dtypes: str = ""
    is_pulled: bool = False
    refused: str = ""
    hint: str = ""
    refused_by: str = ""


@dataclass(frozen=True)
class LockedRepository:
    """A repository at one commit.

    Args:
        asked: its name as a person or manifest gives it.
        revision: that was asked for, "" for the default branch.
        wanted: which of its files.
        repository: what the Hub says of it; of its files only those of the checkpoints.
        checkpoints: that the files make up.
        parent: that a manifest names, "" for none.
    """

    asked: str
    revision: str
    wanted: FilesWanted
    repository: Repository
    checkpoints: tuple[LockedCheckpoint, ...]
    parent: str = ""

    @property
    def key(self) -> LockKey:
        """What there is one line of."""
        return self.repository.id, self.revision, self.repository.commit, self.wanted

    def folder(self, zoo: Zoo) -> Path:
        """Gives where its files are in a zoo."""
        name = self.repository.id.replace("/", "--")
        commit = self.repository.commit[:COMMIT_SHOWN]
        choice = "" if self.wanted == FilesWanted() else f"-{_hash(self.wanted)}"
        return zoo.root / "checkpoints" / "hub" / name / f"{commit}{choice}"

    def path_of(self, zoo: Zoo, checkpoint: LockedCheckpoint) -> Path:
        """Gives where one of its checkpoints is in a zoo."""
        return self.folder(zoo) / checkpoint.remote.local

    def is_whole(self, zoo: Zoo, checkpoint: LockedCheckpoint) -> bool:
        """Whether a checkpoint was pulled and its files still have their sizes."""
        folder, files = self.folder(zoo), checkpoint.remote.files
        return checkpoint.is_pulled and all(_size(folder / file.path) == file.size for file in files)

    def to_json(self) -> str:
        """Gives it as one line."""
        return _ENTRY.dump_json(self, exclude_defaults=True, exclude={"repository": {"files"}}).decode()


class Locked(NamedTuple):
    """A checkpoint in a lock, with its repository."""

    entry: LockedRepository
    checkpoint: LockedCheckpoint


_ENTRY = TypeAdapter(LockedRepository)


def read_lock(path: Path) -> list[LockedRepository]:
    """Gives what a lock holds, what was pulled last at the end; nothing if it isn't there.

    Raises:
        UsageError: if a line other than a torn last one is none of a lock, naming it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found: dict[LockKey, LockedRepository] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _parsed(line)
        except (ValueError, WembedError) as error:
            if number == len(lines):  # torn by a crash
                continue
            raise UsageError(
                f"{path} line {number} is no line of a lock: {_reason(error)}", "delete that line"
            ) from error
        found.pop(entry.key, None)
        found[entry.key] = entry
    return list(found.values())


def lock_of(zoo: Zoo) -> list[LockedRepository]:
    """Gives what a zoo's lock holds, see `read_lock`."""
    return read_lock(zoo.root / HUB_LOCK)


class LockIndex:
    """What a zoo's lock says was pulled, by where it is in the catalog.

    Args:
        zoo: whose lock.
    """

    def __init__(self, zoo: Zoo) -> None:
        self._zoo = zoo
        self._found: dict[str, list[Locked]] = defaultdict(list)
        for entry in lock_of(zoo):
            for checkpoint in entry.checkpoints:
                if checkpoint.is_pulled:
                    self._found[zoo.stored_path(entry.path_of(zoo, checkpoint))].append(Locked(entry, checkpoint))

    def find(self, row: CatalogRow) -> list[Locked]:
        """Gives what a row was pulled as, the last time at the end; several where it was asked for in several ways."""
        return self._found.get(row.path, [])

    def files(self, row: CatalogRow) -> set[Path]:
        """Gives all files of a row that was pulled; none of another one."""
        return {
            locked.entry.folder(self._zoo) / file.path
            for locked in self.find(row)
            for file in locked.checkpoint.remote.files
        }


def append_to_lock(zoo: Zoo, entries: Sequence[LockedRepository]) -> None:
    """Adds lines to a zoo's lock; once this returns they survive a crash.

    Raises:
        WembedError: if they can't be written.
    """
    if entries:
        with zoo.locked():
            (zoo.root / HUB_LOCK).touch()
            append_lines(zoo.root / HUB_LOCK, [entry.to_json() for entry in entries], _is_entry)


def expected_hash(checkpoint: RemoteCheckpoint) -> str:
    """Gives the sha256 that the catalog should have for a checkpoint, from those of its files."""
    index = checkpoint.index.path if checkpoint.index else ""
    parent = len(index.rpartition("/")[0]) + 1 if "/" in index else 0
    return combined_hash({file.path[parent:]: file.sha256 for file in checkpoint.weights})


def _hash(wanted: FilesWanted) -> str:
    return hashlib.sha256(repr(wanted).encode()).hexdigest()[:_CHOICE_SHOWN]


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), str(first["msg"]))))


def _is_entry(line: bytes) -> bool:
    try:
        _parsed(line)
    except (ValueError, WembedError):
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _parsed(line: bytes) -> LockedRepository:
    """An entry that is safe to go by: a lock may come from somebody else."""
    entry = _ENTRY.validate_json(line)
    check_repository(entry.repository)
    if entry.revision and not is_revision(entry.revision):
        raise ValueError(f"revision {entry.revision!r}")
    for name in (entry.asked, *filter(None, [entry.parent])):
        RepositoryName.parse(name)
    for checkpoint in entry.checkpoints:
        check_checkpoint(checkpoint.remote)
        check_count("params", checkpoint.params)
        for text in (checkpoint.dtypes, checkpoint.refused, checkpoint.hint, checkpoint.refused_by):
            check_text(text)
    files = tuple(dict.fromkeys(file for checkpoint in entry.checkpoints for file in checkpoint.remote.files))
    return dataclasses.replace(entry, repository=dataclasses.replace(entry.repository, files=files))
