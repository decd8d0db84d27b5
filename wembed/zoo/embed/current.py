"""A zoo and a table in; the table in line with the catalog, as far as it has the embeddings, out.

The table keeps a mark of the catalog that it is in line with, so that a search need not read the catalog.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wembed.catalog import CatalogRow, Zoo, absolute
from wembed.catalog.zoo import CATALOG
from wembed.errors import WembedError
from wembed.store import CATALOG_COLUMNS, EmbeddingTable, Key, Row, is_remote


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
    """Whether a table has all of a zoo as the catalog has it now, without reading either."""
    return table.mark == _mark(zoo)


def bring_in_line(zoo: Zoo, table: EmbeddingTable) -> State:
    """Gives the rows of a table the ids and columns of the catalog; deletes those whose checkpoints have left.

    Raises:
        WembedError: if the table can't be written, or is outside of the zoo and holds another's embeddings.
    """
    held = table.held()  # before the catalog: what others embed in between must not look as if it had left
    mark, rows = _mark(zoo), zoo.rows()
    wanted = [table_row(row) for row in rows]
    _check_same_zoo(zoo, table, held, wanted)
    table.synchronise(held, wanted)
    return State(mark, rows, {row.key for row in held})


def settle(zoo: Zoo, table: EmbeddingTable) -> None:
    """Brings a table in line with what others have written meanwhile, and marks it once it has all of the zoo.

    Raises:
        WembedError: if the table can't be written.
    """
    table.refresh()
    state = bring_in_line(zoo, table)
    if all(Key(row.content, row.spec) in state.keys for row in state.rows):
        table.set_mark(state.mark)


def table_row(row: CatalogRow) -> Row:
    """Gives what a table keeps of a row of the catalog."""
    values = {name: getattr(row, name) for name in CATALOG_COLUMNS} | {"tags": ", ".join(row.tags) or None}
    return Row(row.id, Key(row.content, row.spec), values)


def _check_same_zoo(zoo: Zoo, table: EmbeddingTable, held: Sequence[Row], wanted: Sequence[Row]) -> None:
    """Refuses to empty a table that is shared by mistake."""
    outside = is_remote(table.uri) or not absolute(Path(table.uri)).is_relative_to(absolute(zoo.root))
    known = {row.id for row in wanted} | {row.key for row in wanted}
    if outside and held and wanted and not any(row.id in known or row.key in known for row in held):
        found = f"embeddings of {len(held)} checkpoints, none of them in the zoo {zoo.root}"
        raise WembedError(f"{table.uri} holds {found}", "give each zoo a --store of its own, or delete the table")


def _mark(zoo: Zoo) -> str:
    state = (zoo.root / CATALOG).stat()
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"
