"""A family in; its tree, as people read it on a terminal, out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wembed.cli.text import plain

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from wembed.catalog import Branch, CatalogRow, Family

_MOST_LINES = 40
_WORDS = {"run": "run", "init": "initial weights", "family": "family"}
_RELATIVE_COLUMNS = ("id", "run", "step", "init_id", "parent", "other_parent", "derivation", "change", "accuracy")


def relative(row: "CatalogRow") -> dict[str, object]:
    """Gives what a row says about its place in a family."""
    return {name: getattr(row, name) for name in _RELATIVE_COLUMNS}


def print_tree(family: "Family") -> None:
    """Prints a family's tree, if there is more than the one that is asked for; of large ones as much as fits."""
    from rich.console import Console

    if family.root.branches:
        Console(highlight=False, markup=False, emoji=False).print("", family_tree(family), sep="\n")


def family_tree(family: "Family", most_lines: int = _MOST_LINES) -> "Tree":
    """Gives a family's tree, every branch cut to as many as let the whole fit, and the way to the one asked for."""
    from rich.text import Text
    from rich.tree import Tree

    way = _way_to(family.root, family.id)
    most = next((width for width in range(most_lines, 1, -1) if _lines(family.root, way, width) <= most_lines), 1)
    tree = Tree(_label(family.root, family.id))
    waiting = [(family.root, tree)]
    while waiting:
        branch, place = waiting.pop()
        shown = _shown(branch, way, most)
        waiting += [(below, place.add(_label(below, family.id))) for below in shown]
        hidden = _checkpoints(branch.branches) - _checkpoints(shown)
        if hidden:
            place.add(Text(f"... and {hidden} more", style="dim"))
    return tree


def _way_to(root: "Branch", row_id: str) -> list["Branch"]:
    """The branches from the root to a checkpoint."""
    waiting = [[root]]
    while waiting:
        way = waiting.pop()
        if way[-1].row and way[-1].row.id == row_id:
            return way
        waiting += [[*way, below] for below in way[-1].branches]
    return [root]


def _shown(branch: "Branch", way: "Sequence[Branch]", most: int) -> list["Branch"]:
    """The first branches, and the one on the way."""
    return [
        below for number, below in enumerate(branch.branches) if number < most or any(below is step for step in way)
    ]


def _lines(root: "Branch", way: "Sequence[Branch]", most: int) -> int:
    lines, waiting = 1, [root]
    while waiting:
        branch = waiting.pop()
        shown = _shown(branch, way, most)
        lines += len(shown) + (len(shown) < len(branch.branches))
        waiting += shown
    return lines


def _checkpoints(branches: "Sequence[Branch]") -> int:
    return sum(1 for branch in branches for _ in branch.rows())


def _label(branch: "Branch", shown_id: str) -> "Text":
    from rich.text import Text

    if branch.kind != "checkpoint":
        return Text(plain(" ".join((_WORDS[branch.kind], branch.name)).strip()), style="bold")
    if branch.row is None:
        return Text(plain(f"{branch.name}  (not in the zoo)"), style="dim")
    words = [plain(branch.name), ", ".join(map(plain, _details(branch.row)))]
    is_shown = branch.row.id == shown_id
    shown = "  ".join(word for word in (*words, "<- this one" if is_shown else "") if word)
    return Text(shown, style="bold" if is_shown else "")


def _details(row: "CatalogRow") -> Iterator[str]:
    if row.derivation:
        yield row.derivation
    if row.other_parent:
        yield f"with {row.other_parent}"
    if row.step is not None and not row.derivation:
        yield f"step {row.step}"
    if row.change is not None:
        yield f"change {row.change:.3g}"
    if row.accuracy is not None:
        yield f"accuracy {row.accuracy:.3f}"
    if row.status:
        yield row.status
