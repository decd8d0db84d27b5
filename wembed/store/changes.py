"""The rows of a table and of a catalog in; what must change in the table, as far as it has the vectors, out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wembed.store.schema import Key, Row, spelt


class Changes(NamedTuple):
    """What brings a table in line with a catalog.

    Args:
        copies: rows to add, whose vectors are there under another id.
        renewed: rows to give other columns.
        left: rows to delete.
    """

    copies: list[Row]
    renewed: list[Row]
    left: list[Row]


def find_changes(held: Iterable[Row], rows: Sequence[Row]) -> Changes:
    """Gives what makes a table that holds some rows hold those of a catalog."""
    there = {_name(row): row for row in held}
    keys = {key for _, key in there}
    wanted = {_name(row): row for row in rows}
    copies = [row for name, row in wanted.items() if name not in there and row.key in keys]
    both = [(row, there[name]) for name, row in wanted.items() if name in there]
    renewed = [row for row, old in both if row.values() != old.values()]
    return Changes(copies, renewed, [row for name, row in there.items() if name not in wanted])


def _name(row: Row) -> tuple[str, Key]:
    return spelt(row.id), row.key
