"""What a person types for a checkpoint in; a path, and its catalog row if it has one, out."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog.rows import CatalogRow
from wembed.catalog.zoo import Zoo
from wembed.errors import NotFoundError

_HUB_NAME = re.compile(r"(hf://)?[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)
_MAX_SUGGESTIONS = 3


@dataclass(frozen=True)
class Located:
    """A checkpoint that is there.

    Args:
        argument: what was asked for.
        path: where it is.
        row: what the zoo knows about it, if it is in the zoo.
    """

    argument: str
    path: Path
    row: CatalogRow | None = None

    @property
    def id(self) -> str:
        """The id in the zoo, else what was asked for."""
        return self.row.id if self.row else self.argument


class Locator:
    """Finds checkpoints by path or id; the catalog is read once.

    Args:
        zoo: whose ids to know, if any.
    """

    def __init__(self, zoo: Zoo | None) -> None:
        self._zoo = zoo
        rows = zoo.rows() if zoo else []
        self._by_id = {row.id: row for row in rows}
        self._by_path = {row.path: row for row in rows}

    def locate(self, argument: str) -> Located:
        """Gives the checkpoint that is meant: an existing path first, then an id of the zoo, then one as it is printed.

        Raises:
            NotFoundError: if it is neither.
        """
        path = Path(argument)
        if not argument.startswith("hf://") and path.exists():
            stored = self._zoo.stored_path(path) if self._zoo else ""
            return Located(argument, path, self._by_path.get(stored))
        row = self._by_id.get(argument) or self._as_printed(argument)
        if self._zoo and row:
            return Located(argument, self._zoo.path_of(row), row)
        raise self._not_found(argument)

    def _as_printed(self, argument: str) -> CatalogRow | None:
        """The row of an id as a command prints it, with what is not printable escaped."""
        rows = self._by_id.values() if "\\" in argument else ()
        return next((row for row in rows if _printed(row.id) == argument), None)

    def _not_found(self, argument: str) -> NotFoundError:
        missing = f"{argument}: no such file" + (
            f", and no such id in the zoo at {self._zoo.root}" if self._zoo else ""
        )
        close = difflib.get_close_matches(argument, self._by_id, n=_MAX_SUGGESTIONS)
        if close:
            return NotFoundError(missing, f"did you mean {', '.join(close)}?")
        if _HUB_NAME.fullmatch(argument) and not Path(argument).suffix:
            return NotFoundError(missing, f"if it is on the Hub, fetch it first: `wembed zoo pull {argument}`")
        return NotFoundError(missing, "`wembed zoo list` shows the ids" if self._zoo else "check the path")


def _printed(id: str) -> str:
    letters = (letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in id)
    return "".join(letters)


def locate(argument: str, zoo: Zoo | None) -> Located:
    """Gives one checkpoint by path or id, see `Locator.locate`."""
    return Locator(zoo).locate(argument)


def find_row(zoo: Zoo, argument: str) -> CatalogRow:
    """Gives the row of an id, or of a path, see `find_rows`."""
    (row,) = find_rows(zoo, [argument])
    return row


def find_rows(zoo: Zoo, arguments: Sequence[str]) -> list[CatalogRow]:
    """Gives the rows of some ids, or paths, in their order; an id comes first.

    Raises:
        NotFoundError: if one is not in the zoo.
    """
    locator, by_id = Locator(zoo), {row.id: row for row in zoo.rows()}
    rows: list[CatalogRow] = []
    for argument in arguments:
        row = by_id.get(argument) or locator.locate(argument).row
        if row is None:
            hint = f"take it in with `wembed zoo add {argument}`"
            raise NotFoundError(f"{argument} is not in the zoo at {zoo.root}", hint)
        rows.append(row)
    return rows
