"""Journals: what a build has finished, one file of a zoo's runs/build/ per stack of networks that were trained at once.

A journal is written, whole or not at all, after all checkpoints of its stack are there and before the catalog knows
them. So whatever has one is never trained again, and whatever has none leaves nothing in the catalog.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import CatalogRow, Zoo
from wembed.catalog.zoo import write_whole
from wembed.errors import WembedError

FOLDER = "runs/build"
_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Journal:
    """A finished stack.

    Args:
        stack: its name.
        runs: the names of its runs.
        recipe: all that its checkpoints follow from.
        rows: of its checkpoints.
    """

    stack: str
    runs: tuple[str, ...]
    recipe: Mapping[str, object]
    rows: tuple[CatalogRow, ...]

    def write(self, zoo: Zoo) -> None:
        """Puts the journal into a zoo; once this returns it survives a crash.

        Raises:
            WembedError: if it can't be written.
        """
        header = json.dumps({"stack": self.stack, "runs": self.runs, "recipe": self.recipe})
        lines = (header, *(row.to_json() for row in self.rows))
        write_whole(zoo.root / FOLDER / f"{self.stack}{_SUFFIX}", "".join(f"{line}\n" for line in lines).encode())


def read_journals(zoo: Zoo) -> list[Journal]:
    """Gives the journals of a zoo whose checkpoints are all there, as they were written, by name.

    Raises:
        WembedError: if one is no journal.
    """
    found = [_read(path) for path in sorted((zoo.root / FOLDER).glob(f"[!.]*{_SUFFIX}"))]
    return [journal for journal in found if all(_is_there(zoo, row) for row in journal.rows)]


def keep_journals(zoo: Zoo, journals: Sequence[Journal]) -> None:
    """Deletes all journals of a zoo but these: what the others say is no longer so."""
    kept = {f"{journal.stack}{_SUFFIX}" for journal in journals}
    for path in (zoo.root / FOLDER).glob(f"[!.]*{_SUFFIX}"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def append_missing(zoo: Zoo, rows: Sequence[CatalogRow]) -> None:
    """Puts rows into the catalog that it does not hold as they are."""
    with zoo.locked():
        known = {row.id: row for row in zoo.rows()}
        zoo.append([row for row in rows if row.id not in known or known[row.id].sha256 != row.sha256])


def _is_there(zoo: Zoo, row: CatalogRow) -> bool:
    try:
        with zoo.path_of(row).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
    except OSError:
        return False


def _read(path: Path) -> Journal:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        header = json.loads(lines[0])
        rows = tuple(CatalogRow.from_json(line) for line in lines[1:])
        return Journal(str(header["stack"]), tuple(map(str, header["runs"])), dict(header["recipe"]), rows)
    except (ValueError, LookupError, TypeError) as error:
        hint = "delete it, and its networks are trained again"
        raise WembedError(f"{path} is no journal of a build: {error}", hint) from error
