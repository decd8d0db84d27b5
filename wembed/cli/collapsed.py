"""The groups of a network as a person reads them: layers that differ in their number alone share a row."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

COLUMNS = ("group", "times", "shape", "kind", "free", "scale", "why")
_TAPS = "kernel taps"  # nobody looks for these

Row = Mapping[str, object]


class Collapsed(NamedTuple):
    """Rows and the columns to show."""

    rows: list[Row]
    columns: Sequence[str]


def collapsed(rows: Sequence[Row]) -> Collapsed:
    """One row for all groups that differ in the numbers of their names alone; `times` says how many these are."""
    together: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row["why"] != _TAPS:
            key = tuple(row[column] for column in COLUMNS[2:])
            together.setdefault((_pattern(str(row["group"])), *key), []).append(row)
    return Collapsed([_one(alike) for alike in together.values()], COLUMNS)


def _pattern(name: str) -> str:
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", name)


def _one(alike: Sequence[Row]) -> Row:
    first = alike[0]
    name = _pattern(str(first["group"])) if len(alike) > 1 else str(first["group"])
    return {**first, "group": _factored(name), "times": len(alike)}


def _factored(group: str) -> str:
    """A product or sum of atoms, each without the words that it begins with as the first one does."""
    names, marks = re.split(r" x | \| ", group), re.findall(r" x | \| ", group)
    first = names[0].split(".")
    short = names[:1] + [_beyond(first, name.split(".")) for name in names[1:]]
    return "".join(f"{name}{mark}" for name, mark in zip(short, [*marks, ""], strict=True))


def _beyond(first: Sequence[str], words: Sequence[str]) -> str:
    same = next((i for i, (a, b) in enumerate(zip(first, words, strict=False)) if a != b), len(words) - 1)
    return ".".join(words[min(same, len(words) - 1) :])
