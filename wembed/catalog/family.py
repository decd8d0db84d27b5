"""A row in; its ancestors and children, and the tree of its whole family as far as the catalog names it, out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wembed.catalog.rows import CatalogRow
from wembed.catalog.splits import families
from wembed.catalog.zoo import Zoo


@dataclass(frozen=True)
class Branch:
    """A place in a family tree.

    Args:
        kind: a checkpoint; a run, whose snapshots follow; initial weights, from which several runs started; or the
            family, where nothing else holds it together.
        name: id of the checkpoint, name of the run or of the initial weights.
        row: what the catalog knows of the checkpoint; None for one that is not in it, and for what is no checkpoint.
        branches: what comes from it.
    """

    kind: Literal["checkpoint", "run", "init", "family"]
    name: str
    row: CatalogRow | None
    branches: tuple["Branch", ...]

    def rows(self) -> Iterator[CatalogRow]:
        """Gives all rows of the tree, every parent before its children."""
        waiting = [self]
        while waiting:
            branch = waiting.pop()
            if branch.row:
                yield branch.row
            waiting += reversed(branch.branches)


@dataclass(frozen=True)
class Family:
    """Where a checkpoint stands among its relatives.

    Args:
        id: of the checkpoint.
        ancestors: its parent, the parent's parent, and so on; the oldest last.
        children: those that name it as a parent.
        root: of the tree of all relatives.
    """

    id: str
    ancestors: tuple[str, ...]
    children: tuple[str, ...]
    root: Branch


def find_family(zoo: Zoo, row: CatalogRow) -> Family:
    """Gives the relatives of a row; people do write circles, which are cut open."""
    rows = zoo.rows()
    parents = {other.id: other.parent for other in rows}
    ancestors: list[str] = []
    parent = row.parent
    while parent and parent not in (row.id, *ancestors):
        ancestors.append(parent)
        parent = parents.get(parent)
    children = [other.id for other in rows if row.id in (other.parent, other.other_parent) and other.id != row.id]
    relatives = next(component for component in families(rows) if any(other.id == row.id for other in component))
    return Family(row.id, tuple(ancestors), tuple(children), _Grower(relatives).grow())


class _Grower:
    """Makes a tree of a family's rows.

    Args:
        rows: of one family.
    """

    def __init__(self, rows: Sequence[CatalogRow]) -> None:
        self._rows = sorted(rows, key=lambda row: row.step or 0)
        self._known = {row.id for row in rows}
        self._children: dict[str, list[CatalogRow]] = defaultdict(list)
        for row in self._rows:
            if row.parent:
                self._children[row.parent].append(row)
        self._placed: set[str] = set()

    def grow(self) -> Branch:
        founders = [self._branch(row) for row in self._rows if not row.parent]
        gone = sorted({row.parent for row in self._rows if row.parent and row.parent not in self._known})
        branches = [
            *(Branch("checkpoint", name, None, tuple(map(self._branch, self._children[name]))) for name in gone),
            *self._by_init(founders),
            *(self._branch(row) for row in self._rows if row.id not in self._placed),  # these go round in circles
        ]
        return branches[0] if len(branches) == 1 else Branch("family", "", None, tuple(branches))

    def _branch(self, row: CatalogRow) -> Branch:
        """A row with its descendants, of any number of generations."""
        descent, waiting = [], [row]
        while waiting:
            descent.append(waiting.pop())
            self._placed.add(descent[-1].id)
            waiting += [child for child in self._children[descent[-1].id] if child.id not in self._placed]
        grown: dict[str, Branch] = {}
        for parent in reversed(descent):
            below = tuple(grown[child.id] for child in self._children[parent.id] if child.id in grown)
            grown[parent.id] = Branch("checkpoint", parent.id, parent, below)
        return grown[row.id]

    def _by_init(self, founders: Sequence[Branch]) -> list[Branch]:
        """Those that started from the same weights, and within these the snapshots of one run, under one branch."""
        by_run: dict[str, list[Branch]] = defaultdict(list)
        by_init: dict[str, list[Branch]] = defaultdict(list)
        for founder in founders:
            by_run[_run_of(founder)].append(founder)
        for name, snapshots in by_run.items():
            init = next((branch.row.init_id for branch in snapshots if branch.row and branch.row.init_id), None)
            run = snapshots[0] if len(snapshots) == 1 else Branch("run", name, None, tuple(snapshots))
            by_init[init or f"run {name}"].append(run)
        return [
            runs[0] if len(runs) == 1 else Branch("init", name, None, tuple(runs)) for name, runs in by_init.items()
        ]


def _run_of(branch: Branch) -> str:
    return (branch.row and branch.row.run) or branch.name
