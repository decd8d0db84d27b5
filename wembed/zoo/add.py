"""Taking checkpoints into a zoo: each file is read through, refused or given a row, and never changed.

Files are read a batch at a time without the catalog's lock; ids are given and rows appended under it, so that several
processes may add at once and a crash loses one batch at most.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from wembed.catalog import CatalogRow, GivenMetadata, Zoo, absolute, assign_id
from wembed.checkpoint import find_checkpoints, open_checkpoint
from wembed.errors import NotFoundError, UsageError, WembedError
from wembed.symmetry import SymmetrySpec, save_spec
from wembed.zoo.copies import copy_checkpoint
from wembed.zoo.progress import Progress, silent
from wembed.zoo.read import ReadFile, as_failure, read_file
from wembed.zoo.specs import carries_spec, spec_for, spec_path

BATCH = 64  # files


@dataclass(frozen=True)
class AddOptions:
    """How to take checkpoints in.

    Args:
        metadata: what people know about them.
        spec: the symmetries of every file that they fit.
        copy: copy the files into the zoo instead of referring to them.
    """

    metadata: GivenMetadata | None = None
    spec: SymmetrySpec | None = None
    copy: bool = False


@dataclass(frozen=True)
class AddedFile:
    """What became of one file.

    Args:
        path: of the file.
        status: what was done.
        row: its row, unless it was refused.
        free: whether anything in it may be permuted.
        notes: what was left frozen and why, or why it was refused.
        notices: what was unwrapped or left out when it was read.
        error: why it was refused.
    """

    path: Path
    status: Literal["taken", "unchanged", "refused"]
    row: CatalogRow | None = None
    free: bool = False
    notes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    error: WembedError | None = None


@dataclass(frozen=True)
class AddResult:
    """What became of all files.

    Args:
        files: one entry per file, in the order in which they were found.
        unmatched: the lines of the metadata that were about none of them.
    """

    files: list[AddedFile]
    unmatched: list[str]

    @property
    def kept(self) -> list[AddedFile]:
        """The files that are in the zoo now."""
        return [file for file in self.files if file.row]

    @property
    def structures(self) -> int:
        """How many structures these have."""
        return len({file.row.structure for file in self.files if file.row})

    @property
    def without_spec(self) -> int:
        """How many of these have no neuron that may be permuted."""
        return sum(not file.free for file in self.kept)


def add(zoo: Zoo, paths: Sequence[Path], options: AddOptions | None = None, progress: Progress = silent) -> AddResult:
    """Takes in all checkpoints at or under some paths.

    Args:
        zoo: where they go; it is made if it isn't there.
        paths: files and folders.
        options: how.
        progress: told after every file.

    Raises:
        NotFoundError: if there is no checkpoint at all.
        UsageError: if a given spec fits none of the files.
    """
    options = options or AddOptions()
    found = [entry for path in paths for entry in _find(zoo, path)]
    if not found:
        raise NotFoundError(f"no checkpoints in {', '.join(map(str, paths))}", "check the folder")
    if any(isinstance(entry, Path) for entry in found):
        zoo = Zoo.create(zoo.root)
    files: list[AddedFile] = []
    given: set[str] = set()
    for start in range(0, len(found), BATCH):
        read: list[ReadFile | AddedFile] = []
        for entry in found[start : start + BATCH]:
            read.append(_read(zoo, entry, options.spec))
            progress(len(files) + len(read), len(found))
        given |= _keep_given_spec(zoo, read, options.spec)
        files += _record(zoo, read, options)
    if options.spec and not given and any(file.row for file in files):
        raise UsageError(f"the given spec fits none of {len(files)} files", "see their tensors with `wembed inspect`")
    return AddResult(files, options.metadata.unmatched() if options.metadata else [])


def _find(zoo: Zoo, path: Path) -> list[Path | AddedFile]:
    """The checkpoints under a path, without what the zoo has made itself."""
    root = absolute(zoo.root)
    try:
        found = find_checkpoints(path)
    except WembedError as error:
        return [_refused(path, error)]
    paths = {file: absolute(file) for file in found}
    return [
        file
        for file, place in paths.items()
        if not place.is_relative_to(root) or place.is_relative_to(root / "checkpoints")
    ]


def _read(zoo: Zoo, entry: Path | AddedFile, spec: SymmetrySpec | None) -> ReadFile | AddedFile:
    if isinstance(entry, AddedFile):
        return entry
    try:
        return read_file(zoo, entry, spec)
    except WembedError as error:
        return _refused(entry, error)
    except OSError as error:
        return _refused(entry, as_failure(entry, error))


def _refused(path: Path, error: WembedError) -> AddedFile:
    return AddedFile(path, "refused", notes=(error.message,), error=error)


def _keep_given_spec(zoo: Zoo, read: Sequence[ReadFile | AddedFile], spec: SymmetrySpec | None) -> set[str]:
    """Stores a given spec for the structures that it fits; the rows that are there already get it too."""
    if spec is None:
        return set()
    fitting = {str(file.values["structure"]): file.spec for file in read if isinstance(file, ReadFile) and file.given}
    for structure, fitted in fitting.items():
        save_spec(fitted, spec_path(zoo, structure))
        with zoo.locked():
            old = [row for row in zoo.rows() if row.structure == structure]
            zoo.append([new for row in old for new in _respecified(zoo, row)])
    return set(fitting)


def _respecified(zoo: Zoo, row: CatalogRow) -> list[CatalogRow]:
    """The row with its structure's new spec; nothing if it stays, or if its file brings its own or is gone."""
    try:
        checkpoint = open_checkpoint(zoo.path_of(row))
        if carries_spec(checkpoint):
            return []
        spec = spec_for(zoo, checkpoint)
    except WembedError:  # `zoo verify` and `embed` say so
        return []
    new = dataclasses.replace(row, spec=spec.hash, tier=spec.tier)
    return [new] if new != row else []


def _record(zoo: Zoo, read: Sequence[ReadFile | AddedFile], options: AddOptions) -> list[AddedFile]:
    """Gives ids and appends the rows of a batch, under one lock."""
    if all(isinstance(file, AddedFile) for file in read):
        return [file for file in read if isinstance(file, AddedFile)]
    with zoo.locked():
        rows = zoo.rows()
        book = _Book(zoo, options, {row.path: row for row in rows}, {row.id: zoo.path_of(row) for row in rows})
        files = [file if isinstance(file, AddedFile) else book.enter(file) for file in read]
        zoo.append([file.row for file in files if file.row and file.status == "taken"])
    return files


@dataclass
class _Book:
    """The catalog while a batch is entered: who owns which path and which id."""

    zoo: Zoo
    options: AddOptions
    by_path: dict[str, CatalogRow]
    owners: dict[str, Path]

    def enter(self, file: ReadFile) -> AddedFile:
        path = absolute(file.checkpoint.path)
        known = self._known(path)
        try:
            row = self._row(file, path, known)
        except WembedError as error:
            return _refused(file.checkpoint.path, error)
        self.by_path[row.path], self.owners[row.id] = row, self.zoo.path_of(row)
        return AddedFile(
            path=file.checkpoint.path,
            status="unchanged" if row == known else "taken",
            row=row,
            free=file.spec.has_free,
            notes=file.spec.notes,
            notices=file.checkpoint.notices,
        )

    def _known(self, path: Path) -> CatalogRow | None:
        known = self.by_path.get(self.zoo.stored_path(path))
        if known or not self.options.copy:
            return known
        return next((row for row in self.by_path.values() if row.source == str(path)), None)

    def _row(self, file: ReadFile, path: Path, known: CatalogRow | None) -> CatalogRow:
        row_id = known.id if known else assign_id(path, self.owners)
        row = known or CatalogRow(id=row_id, path=self.zoo.stored_path(path), added=_now())
        metadata = self.options.metadata.values_for(path, row_id) if self.options.metadata else {}
        copied: Mapping[str, object] = self._copied(file, path, row) if self.options.copy else {}
        values: dict[str, Any] = {**file.values, **copied, **metadata}  # Any: each of its column's own type
        return dataclasses.replace(row, **values)

    def _copied(self, file: ReadFile, path: Path, row: CatalogRow) -> dict[str, object]:
        if path.is_relative_to(absolute(self.zoo.root)):
            return {}
        stored = f"checkpoints/{row.id}{path.suffix if path.is_file() else ''}"
        target = self.zoo.root / stored
        if row.path != stored or row.sha256 != file.values["sha256"] or not target.exists():
            copy_checkpoint(file.checkpoint, target)
        return {"path": stored, "source": str(path)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
