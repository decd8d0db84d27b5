"""Zoo: a folder with checkpoints, their catalog, and what was computed from them.

The catalog is a file of JSON lines, of which the last one of an id wins. Appends are made under a lock and synced, and
a line that a crash tore apart is cut off before anything is written behind it. Rows are removed by putting another file
in the catalog's place, under the same lock.
"""

import os
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wembed.catalog.rows import CatalogRow
from wembed.errors import NotFoundError, WembedError

LAYOUT = ("checkpoints", "specs", "encoders", "embeddings", "runs")
CATALOG = "catalog.jsonl"
LOCK = "catalog.lock"
HUB_LOCK = "hub.lock.jsonl"  # what was pulled from the Hub, see wembed.zoo.pull.lock
LOCK_TIMEOUT = 60.0  # seconds
_TAIL = 65_536  # bytes that are read at once to find the last line


class Zoo:
    """A zoo on disk; make one with `Zoo.open` or `Zoo.create`.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._locked = False

    @staticmethod
    def is_zoo(root: Path) -> bool:
        """Whether a folder is a zoo."""
        return (root / CATALOG).is_file()

    @classmethod
    def open(cls, root: Path) -> "Zoo":
        """Gives the zoo in a folder.

        Raises:
            NotFoundError: if there is none.
        """
        if not cls.is_zoo(root):
            place = shlex.quote(str(root))
            hint = f"make one with `wembed zoo build --zoo {place}`, or with `wembed zoo add FOLDER --zoo {place}`"
            raise NotFoundError(f"no zoo at {root}", hint)
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> "Zoo":
        """Gives the zoo in a folder, which is made if it isn't there.

        Raises:
            WembedError: if it can't be made.
        """
        try:
            for name in LAYOUT:
                (root / name).mkdir(parents=True, exist_ok=True)
            (root / CATALOG).touch()
        except OSError as error:
            raise WembedError(f"cannot make a zoo at {root}: {(error.strerror or '').lower()}") from error
        return cls(root)

    def rows(self) -> list[CatalogRow]:
        """Gives the rows, one per id, in the order in which the ids were first added.

        Raises:
            WembedError: if a line other than a torn last one is no row, naming the line.
        """
        lines = (self.root / CATALOG).read_bytes().split(b"\n")
        rows: dict[str, CatalogRow] = {}
        for number, line in enumerate(lines, start=1):
            if line.strip():
                row = self._parse(line, number, is_last=number == len(lines))
                rows |= {row.id: row} if row else {}
        return list(rows.values())

    def append(self, rows: Sequence[CatalogRow]) -> None:
        """Adds rows, or new versions of rows; once this returns they survive a crash.

        Raises:
            WembedError: if they can't be written.
        """
        with self.locked():
            append_lines(self.root / CATALOG, [row.to_json() for row in rows], _is_row)

    def remove(self, ids: Collection[str]) -> None:
        """Takes rows out, all or none of them; once this returns they stay out.

        Args:
            ids: of the rows; an id that there is no row of is passed over.
        """
        with self.locked():
            self.rewrite([row for row in self.rows() if row.id not in ids])

    def rewrite(self, rows: Sequence[CatalogRow]) -> None:
        """Puts other rows in the place of all that are there, whole or not at all; to be called under the lock.

        Raises:
            WembedError: if it can't be written.
        """
        write_whole(self.root / CATALOG, b"".join(row.to_json().encode() + b"\n" for row in rows))

    def put_in_order(self, ids: Sequence[str]) -> None:
        """Brings the rows of some ids, where they follow each other in another order, into the one that is given.

        Together they stay where the first of them stands.
        """
        with self.locked():
            rows = self.rows()
            place = {row_id: at for at, row_id in enumerate(ids)}
            own = [row for row in rows if row.id in place]
            ordered = sorted(own, key=lambda row: place[row.id])
            if own == ordered:
                return
            begin = rows.index(own[0])
            others = [row for row in rows[begin:] if row.id not in place]
            self.rewrite([*rows[:begin], *ordered, *others])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the catalog's lock, for reading, deciding and appending in one; may be nested.

        Raises:
            WembedError: if another process holds it for too long.
        """
        if self._locked:
            yield
            return
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.root / LOCK, timeout=LOCK_TIMEOUT):
                self._locked = True
                yield
        except Timeout as error:
            hint = "try again when the other command is done"
            raise WembedError(f"zoo {self.root} has been locked for {LOCK_TIMEOUT:.0f} s", hint) from error
        finally:
            self._locked = False

    def path_of(self, row: CatalogRow) -> Path:
        """Gives where a row's checkpoint is."""
        return self.root / row.path

    def stored_path(self, path: Path) -> str:
        """Gives the form in which the catalog keeps a path: relative to the zoo if inside, else absolute."""
        path, root = absolute(path), absolute(self.root)
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def _parse(self, line: bytes, number: int, is_last: bool) -> CatalogRow | None:
        try:
            return CatalogRow.from_json(line)
        except (ValueError, RecursionError) as error:
            if is_last:  # what follows the last newline: torn by a crash, or being written just now
                return None
            hint = "mend or delete that line"
            raise WembedError(f"{self.root / CATALOG} line {number} is no catalog row: {error}", hint) from error


def append_lines(path: Path, lines: Sequence[str], is_whole: Callable[[bytes], bool]) -> None:
    """Adds lines to a file that is there; once this returns they survive a crash. To be called under a lock.

    Args:
        path: of the file.
        lines: without their ends.
        is_whole: whether a last line that has no end says something; if not, a crash has torn it, and it is cut off.

    Raises:
        WembedError: if they can't be written.
    """
    try:
        with path.open("r+b") as file:
            _end_last_line(file, is_whole)
            file.write(b"".join(line.encode() + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WembedError(f"cannot write {path}: {(error.strerror or '').lower()}", "is the disk full?") from error


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all; once this returns it survives a crash.

    Raises:
        WembedError: if it can't be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise WembedError(f"cannot write {path}: {(error.strerror or '').lower()}", "is the disk full?") from error


def absolute(path: Path) -> Path:
    """Gives a path from the root, without dots; links stay, since what they lead to may have no telling name."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve would follow links


def _end_last_line(file: BinaryIO, is_whole: Callable[[bytes], bool]) -> None:
    """Ends a last line that lacks only its newline, cuts off one that is torn; leaves the file at its end.

    Args:
        file: of lines, open for reading and writing.
        is_whole: whether a line says something.
    """
    end = file.seek(0, os.SEEK_END)
    tail, begin = b"", end
    while begin and b"\n" not in tail:
        size = min(_TAIL, begin)
        begin = file.seek(begin - size)
        tail = file.read(size) + tail
    last = tail[tail.rfind(b"\n") + 1 :]
    file.seek(0, os.SEEK_END)
    if last and is_whole(last):
        file.write(b"\n")
    elif last:
        file.truncate(end - len(last))
        file.seek(0, os.SEEK_END)


def _is_row(line: bytes) -> bool:
    try:
        CatalogRow.from_json(line)
    except (ValueError, RecursionError):
        return False
    return True
