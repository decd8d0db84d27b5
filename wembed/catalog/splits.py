"""Rows in; for each its side of the split out: whole families go to one side, never single rows.

What belongs together is a connected component of runs, initial weights, parents and children. Its side follows from a
hash of its name and the seed, so that a row stays where it is when the zoo grows elsewhere.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from wembed.catalog.rows import CatalogRow

Split = Literal["train", "validation", "test", "zero-shot"]

SPLITS: tuple[Split, ...] = get_args(Split)
_SHARES: tuple[tuple[Split, float], ...] = (("train", 0.6), ("validation", 0.15), ("test", 0.25))


def assign_splits(rows: Sequence[CatalogRow], seed: int) -> dict[str, Split]:
    """Gives the split of every row by id; a split that the catalog states is kept, with the row's whole family.

    Args:
        rows: of a zoo.
        seed: of the assignment.

    Raises:
        ValueError: if the catalog itself puts one family on two sides.
    """
    splits: dict[str, Split] = {}
    for component in families(rows):
        stated = sorted({row.split for row in component if row.split in SPLITS})
        if len(stated) > 1:
            raise ValueError(f"the family of {component[0].id} stands on several sides of the split: {stated}")
        name = min(row.run or row.id for row in component)
        split: Split = stated[0] if stated else _drawn(name, seed)
        splits |= {row.id: split for row in component}
    check_splits(rows, splits)
    return splits


def check_splits(rows: Sequence[CatalogRow], splits: Mapping[str, Split]) -> None:
    """Asserts that no run stands on two sides.

    Raises:
        ValueError: if one does.
    """
    sides: dict[str, set[Split]] = defaultdict(set)
    for row in rows:
        sides[row.run or row.id].add(splits[row.id])
    for run, found in sides.items():
        if len(found) > 1:
            raise ValueError(f"run {run} stands on several sides of the split: {sorted(found)}")


def families(rows: Sequence[CatalogRow]) -> list[list[CatalogRow]]:
    """Gives the connected components, in the order of the rows.

    Two rows are connected if they share a run or their initial weights, or if one was made from the other.

    Args:
        rows: of a zoo.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = name = leader[leader[name]]
        return name

    for row in rows:
        for other in _ties(row):
            leader[find(other)] = find(f"id {row.id}")
    components: dict[str, list[CatalogRow]] = defaultdict(list)
    for row in rows:
        components[find(f"id {row.id}")].append(row)
    return list(components.values())


def _ties(row: CatalogRow) -> list[str]:
    """What connects a row to others."""
    named = {"run": row.run, "init": row.init_id}
    made_from = [f"id {parent}" for parent in (row.parent, row.other_parent) if parent]
    return [f"{kind} {name}" for kind, name in named.items() if name] + made_from


def _drawn(name: str, seed: int) -> Split:
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in _SHARES:
        if place < share:
            return split
        place -= share
    return _SHARES[-1][0]
