"""The lock of a zoo: every repository that it pulled, at which commit, and the sha256 of every file.

A file of JSON lines beside the catalog, of which the last one of a repository, revision, commit and choice of files
wins. It is all that a pull needs to be repeated exactly, and to be checked without the Hub.
"""

import dataclasses
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wembed.catalog import HUB_LOCK, Zoo
from wembed.checkpoint import combined_hash
from wembed.errors import UsageError, WembedError
from wembed.hub.names import RepositoryName, check_clashes, check_path, is_commit
from wembed.hub.repository import Repository
from wembed.zoo.pull.choose import FilesWanted, RemoteCheckpoint

_COMMIT_SHOWN, _CHOICE_SHOWN = 12, 6  # characters in the name of a folder


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
        refused_by: the version of wembed that said so.
    """

    remote: RemoteCheckpoint
    params: int | None = None
    dtypes: str = ""
    is_pulled: bool = False
    refused: str = ""
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
        commit = self.repository.commit[:_COMMIT_SHOWN]
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
            raise UsageError(f"{path} line {number} is no line of a lock: {_reason(error)}", "delete it") from error
        found.pop(entry.key, None)
        found[entry.key] = entry
    return list(found.values())


def lock_of(zoo: Zoo) -> list[LockedRepository]:
    """Gives what a zoo's lock holds, see `read_lock`."""
    return read_lock(zoo.root / HUB_LOCK)


def append_to_lock(zoo: Zoo, entries: Iterable[LockedRepository]) -> None:
    """Adds lines to a zoo's lock; once this returns they survive a crash.

    Raises:
        WembedError: if they can't be written.
    """
    path = zoo.root / HUB_LOCK
    text = b"".join(entry.to_json().encode() + b"\n" for entry in entries)
    try:
        with zoo.locked(), path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            is_torn = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * is_torn + text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WembedError(f"cannot write {path}: {(error.strerror or '').lower()}", "is the disk full?") from error


def expected_hash(checkpoint: RemoteCheckpoint) -> str:
    """Gives the sha256 that the catalog should have for a checkpoint, from those of its files."""
    index = checkpoint.index.path if checkpoint.index else ""
    parent = len(index.rpartition("/")[0]) + 1 if "/" in index else 0
    return combined_hash({file.path[parent:]: file.sha256 for file in checkpoint.weights})


def _hash(wanted: FilesWanted) -> str:
    return hashlib.sha256(repr(wanted).encode()).hexdigest()[:_CHOICE_SHOWN]


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _parsed(line: bytes) -> LockedRepository:
    """An entry whose names are safe to write to: a lock may come from somebody else."""
    entry = _ENTRY.validate_json(line)
    files = tuple(dict.fromkeys(file for checkpoint in entry.checkpoints for file in checkpoint.remote.files))
    if RepositoryName.parse(entry.repository.id).revision or not is_commit(entry.repository.commit):
        raise ValueError("expected the name of a repository and the full sha of a commit")
    for file in files:
        check_path(file.path)
    check_clashes([file.path for file in files])
    return dataclasses.replace(entry, repository=dataclasses.replace(entry.repository, files=files))
