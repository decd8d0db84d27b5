"""A row in; its parents and children, as far as the catalog names them, out."""

from dataclasses import dataclass

from wembed.catalog.locate import locate
from wembed.catalog.rows import CatalogRow
from wembed.catalog.zoo import Zoo
from wembed.errors import NotFoundError


@dataclass(frozen=True)
class Family:
    """Where a checkpoint stands among its relatives.

    Args:
        id: of the checkpoint.
        ancestors: its parent, the parent's parent, and so on; the oldest last.
        children: those that name it as their parent.
    """

    id: str
    ancestors: tuple[str, ...]
    children: tuple[str, ...]

    def tree(self) -> str:
        """Gives the line of descent, oldest first."""
        line = " > ".join([*reversed(self.ancestors), self.id])
        return f"{line} > {', '.join(self.children)}" if self.children else line


def find_row(zoo: Zoo, argument: str) -> CatalogRow:
    """Gives the row of an id, or of a path.

    Raises:
        NotFoundError: if it is not in the zoo.
    """
    by_id = {row.id: row for row in zoo.rows()}
    row = by_id.get(argument) or locate(argument, zoo).row
    if row is None:
        raise NotFoundError(
            f"{argument} is not in the zoo at {zoo.root}", f"take it in with `wembed zoo add {argument}`"
        )
    return row


def find_family(zoo: Zoo, row: CatalogRow) -> Family:
    """Gives the ancestors and children of a row."""
    rows = zoo.rows()
    parents = {other.id: other.parent for other in rows}
    ancestors: list[str] = []
    parent = row.parent
    while parent and parent not in (row.id, *ancestors):  # people do write circles
        ancestors.append(parent)
        parent = parents.get(parent)
    return Family(row.id, tuple(ancestors), tuple(other.id for other in rows if other.parent == row.id))
