"""Likely parents in; the family trees, as people read them on a terminal, out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wembed.cli.text import plain

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from wembed.zoo.lineage import Descent

_MOST = 12  # children of one parent that are shown


def print_lineage(descents: "Sequence[Descent]") -> None:
    """Prints the tree of every family of two or more, then the pairs of next of kin."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for tree in lineage_trees(descents):
        console.print(tree)
    for pair in lineage_pairs(descents):
        console.print(pair)


def lineage_trees(descents: "Sequence[Descent]") -> "Iterator[Tree]":
    """Gives the tree of every family of two or more; of many children as many as can be read."""
    from rich.text import Text
    from rich.tree import Tree

    children: dict[str, list[Descent]] = defaultdict(list)
    for own in descents:
        if own.parent:
            children[own.parent.id].append(own)
    for root in (own for own in descents if not own.parent and children[own.row.id]):
        tree = Tree(_label(root))
        waiting = [(root, tree)]
        while waiting:
            own, place = waiting.pop()
            born = children[own.row.id]
            shown = [below for below in born if children[below.row.id]]
            shown += [below for below in born if not children[below.row.id]][: max(0, _MOST - len(shown))]
            waiting += [(below, place.add(_label(below))) for below in shown]
            if len(born) > len(shown):
                place.add(Text(f"... and {len(born) - len(shown)} more", style="dim"))
        yield tree


def lineage_pairs(descents: "Sequence[Descent]") -> "Iterator[Text]":
    """Gives each pair of next of kin of which it can't be told who came first, once."""
    from rich.text import Text

    known: set[frozenset[str]] = set()
    for own in descents:
        pair = frozenset((own.row.id, own.kin.id)) if own.kin and not own.parent else None
        if own.kin and pair and pair not in known:
            known.add(pair)
            text = Text(f"{plain(own.row.id)} -- {plain(own.kin.id)}")
            yield text.append(f"  {', '.join(map(plain, _details(own)))}", style="dim")


def _label(own: "Descent") -> "Text":
    from rich.text import Text

    text = Text(plain(own.row.id), style="" if own.parent else "bold")
    details = ", ".join(map(plain, _details(own))) if own.parent else ""
    return text.append(f"  {details}", style="dim") if details else text


def _details(own: "Descent") -> Iterator[str]:
    if own.parent:
        yield str(own.derivation)
    elif own.kin:
        yield "next of kin"
    if own.other_parent:
        yield f"with {own.other_parent.id}"
    if own.identical:
        yield f"{own.identical} of {own.compared} weights the same"
    if own.change is not None:
        yield f"change {own.change:.3g}"
    if own.parent and own.probability is not None:
        yield f"probability {own.probability:.2f}"
