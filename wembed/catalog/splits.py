"""Rows in; for each its side of the split out: whole families go to one side, never single rows.

What belongs together is a connected component of runs, initial weights, parents and children. Its side follows from a
hash of its name and the seed, so that a row stays where it is when the zoo grows elsewhere. Whole architectures can be
held out instead: they are the test split then, and all others are trained on.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, get_args

from wembed.catalog.rows import CatalogRow
from wembed.errors import NotFoundError

Split = Literal["train", "validation", "test", "zero-shot"]

SPLITS: tuple[Split, ...] = get_args(Split)
_SHARES: Mapping[Split, float] = {"train": 0.6, "validation": 0.15, "test": 0.25}
_TRAINED_ON: Mapping[Split, float] = {"train": 0.8, "validation": 0.2}  # of what would be the test split


def assign_splits(rows: Sequence[CatalogRow], seed: int, hold_out: str = "") -> dict[str, Split]:
    """Gives the split of every row by id; a split that the catalog states is kept, with the row's whole family.

    Args:
        rows: of a zoo.
        seed: of the assignment.
        hold_out: shell patterns of architectures, separated by commas, such as `cnn-*`: what matches one is the test
            split, with its whole family, unless the catalog seals it; all else is training and validation, where rows
            stand as without patterns if they stand on one of these sides then. "" for a test split drawn at random.

    Raises:
        ValueError: if the catalog itself puts one family on two sides.
        NotFoundError: no row's architecture matches a pattern.
    """
    patterns = _patterns(hold_out)
    _check_patterns(rows, patterns)
    splits: dict[str, Split] = {}
    for component in families(rows):
        stated = sorted({row.split for row in component if row.split in SPLITS})
        if len(stated) > 1:
            raise ValueError(f"the family of {component[0].id} stands on several sides of the split: {stated}")
        name = min(row.run or row.id for row in component)
        split: Split = stated[0] if stated else _drawn(name, seed, bool(patterns))
        if split != "zero-shot" and any(_matches(row, patterns) for row in component):
            split = "test"
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


def _patterns(hold_out: str) -> tuple[str, ...]:
    return tuple(pattern.strip() for pattern in hold_out.split(",") if pattern.strip())


def _matches(row: CatalogRow, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(row.architecture or "", pattern) for pattern in patterns)


def _check_patterns(rows: Sequence[CatalogRow], patterns: Iterable[str]) -> None:
    for pattern in patterns:
        if not any(_matches(row, [pattern]) for row in rows):
            known = ", ".join(sorted({row.architecture for row in rows if row.architecture})) or "none"
            raise NotFoundError(f"no architecture of the zoo matches {pattern!r}", f"known are {known}")


def _drawn(name: str, seed: int, no_test: bool) -> Split:
    """A side by a family's name; what would be the test split goes to the other two where there is none."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    split, place = _found(int.from_bytes(digest[:8], "big") / 2**64, _SHARES)
    return _found(place, _TRAINED_ON)[0] if no_test and split == "test" else split


def _found(place: float, shares: Mapping[Split, float]) -> tuple[Split, float]:
    """The side at a place from 0 to 1 where they stand in a row, and how far along that side the place is, 0 to 1."""
    for split, share in shares.items():
        if place < share:
            return split, place / share
        place -= share
    return split, 1.0
