"""A zoo and a table in; the table in line with the catalog, as far as it has the embeddings, out.

The table keeps a mark of the catalog that it is in line with, so that a search need not read the catalog.
"""

import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from wembed.catalog import CatalogRow, Zoo
from wembed.catalog.zoo import CATALOG
from wembed.errors import WembedError
from wembed.store import CATALOG_COLUMNS, EmbeddingTable, Key, Row
from wembed.zoo.embed.owner import HINT, check_owner, is_outside, owner_note
from wembed.zoo.embed.passed import passed_note, passed_over
from wembed.zoo.failure import Failure

MARK = "wembed.catalog"  # note of a table: the state of the catalog that it is in line with
_MARKED = 1 << 20  # bytes at the end of the catalog


class State(NamedTuple):
    """A catalog, and what a table had of it.

    Args:
        mark: which state the catalog is in.
        rows: of the catalog.
        keys: that the table has vectors of.
    """

    mark: str
    rows: list[CatalogRow]
    keys: set[Key]


def is_current(zoo: Zoo, table: EmbeddingTable) -> bool:
    """Whether a table has all of a zoo that can be embedded, as the catalog has it now, without reading either."""
    return table.note(MARK) == _mark(zoo) and all(passed_over(zoo, table).values())


def bring_in_line(zoo: Zoo, table: EmbeddingTable) -> State:
    """Gives the rows of a table the ids and columns of the catalog; deletes those whose checkpoints have left.

    Raises:
        WembedError: if the table can't be written, or holds another zoo's embeddings.
    """
    check_owner(zoo, table)
    held = table.held()  # before the catalog: what others embed in between must not look as if it had left
    mark, rows = _mark(zoo), zoo.rows()
    wanted = [table_row(row) for row in rows]
    _check_same_zoo(zoo, table, held, wanted)
    table.synchronise(held, wanted)
    table.set_notes(owner_note(zoo, table))
    return State(mark, rows, {row.key for row in held})


def settle(zoo: Zoo, table: EmbeddingTable, failures: Sequence[Failure]) -> None:
    """Brings a table in line with what others have written meanwhile, and marks it once nothing is left to embed.

    Args:
        zoo: whose table.
        table: to bring in line.
        failures: what could not be embedded now.

    Raises:
        WembedError: if the table can't be written.
    """
    table.refresh()
    state = bring_in_line(zoo, table)
    failed = {failure.id for failure in failures}
    lacking = [row for row in state.rows if Key(row.content, row.spec) not in state.keys]
    known = passed_over(zoo, table)
    passed = [row for row in lacking if row.id in failed or known.get(row.path)]
    mark = {MARK: state.mark} if len(passed) == len(lacking) else {}
    table.set_notes(mark | passed_note(zoo, [row.path for row in passed]))


def mark_current(zoo: Zoo, table: EmbeddingTable, state: State, failures: Sequence[Failure]) -> None:
    """Marks a table that has all of a state of the catalog but what could not be embedded."""
    failed = {failure.id for failure in failures}
    passed = passed_note(zoo, [row.path for row in state.rows if row.id in failed])
    table.set_notes({MARK: state.mark} | owner_note(zoo, table) | passed)


def table_row(row: CatalogRow) -> Row:
    """Gives what a table keeps of a row of the catalog."""
    values = {name: getattr(row, name) for name in CATALOG_COLUMNS} | {"tags": ", ".join(row.tags) or None}
    return Row(row.id, Key(row.content, row.spec), values)


def _check_same_zoo(zoo: Zoo, table: EmbeddingTable, held: Sequence[Row], wanted: Sequence[Row]) -> None:
    """Refuses to empty a table that is shared by mistake and does not say whose it is."""
    known = {row.id for row in wanted} | {row.key for row in wanted}
    if is_outside(zoo, table) and held and wanted and not any(row.id in known or row.key in known for row in held):
        found = f"embeddings of {len(held)} checkpoints, none of them in the zoo {zoo.root}"
        raise WembedError(f"{table.uri} holds {found}", HINT)


def _mark(zoo: Zoo) -> str:
    """Tells the states of a catalog apart, which is appended to; the same in a copy of the zoo."""
    with (zoo.root / CATALOG).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _MARKED, 0))
        return f"{size} {hashlib.sha256(file.read()).hexdigest()}"
