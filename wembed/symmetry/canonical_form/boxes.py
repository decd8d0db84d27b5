"""Cutting a weight: its targets and sources in; boxes out that are small enough to hold, and together are all of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

LARGEST = 2**19  # entries of a box, unless its reader asks for more: it fits into a processor's cache


@dataclass(frozen=True)
class Stretch:
    """A range of a side's channels: one index of its first atoms, a range of the next, all of the others.

    Args:
        shape: the sizes of the side's atoms.
        ranges: the indices of each.
    """

    shape: tuple[int, ...]
    ranges: tuple[range, ...]

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Self:
        """All channels of a side."""
        return cls(shape, tuple(map(range, shape)))

    def parts(self, place: int, count: int) -> Iterator[Self]:
        """Cut along one atom into stretches of at most `count` of its indices."""
        indices = self.ranges[place]
        for first in range(indices.start, indices.stop, count):
            part = range(first, min(first + count, indices.stop))
            yield type(self)(self.shape, (*self.ranges[:place], part, *self.ranges[place + 1 :]))

    @cached_property
    def channels(self) -> slice:
        """Where it stands among all channels of the side."""
        first = 0
        for indices, size in zip(self.ranges, self.shape, strict=True):
            first = first * size + indices.start
        return slice(first, first + math.prod(map(len, self.ranges)))


@dataclass(frozen=True)
class Box:
    """A part of a weight: a range of its targets and one of its sources."""

    rows: Stretch
    columns: Stretch

    @property
    def targets(self) -> slice:
        """Its targets."""
        return self.rows.channels

    @property
    def sources(self) -> slice:
        """Its sources."""
        return self.columns.channels

    @property
    def ranges(self) -> tuple[range, ...]:
        """The indices of every atom, those of the targets first."""
        return (*self.rows.ranges, *self.columns.ranges)

    @property
    def size(self) -> int:
        """The number of pairs of a target and a source."""
        return math.prod(map(len, self.ranges))


@dataclass(frozen=True)
class Cutting:
    """How a weight may be cut.

    Args:
        order: for each atom of the targets, then of the sources, how far out it stands in the file: the outermost are
            cut first, so that what is read at a time lies together.
        row_end: how many atoms of the targets may be cut, counted from the first.
        column_end: the same for the sources.
    """

    order: tuple[int, ...]
    row_end: int
    column_end: int

    def boxes(self, box: Box, largest: int) -> Iterator[Box]:
        """Boxes of at most `largest` pairs of a target and a source, or the smallest that there can be."""
        row, column = _next(box.rows, self.row_end), _next(box.columns, self.column_end)
        if box.size <= largest or (row is None and column is None):
            yield box
        elif column is None or (row is not None and self.order[row] < self.order[len(box.rows.shape) + column]):
            assert row is not None  # one of the two is there
            for rows in box.rows.parts(row, _count(box, box.rows.ranges[row], largest)):
                yield from self.boxes(Box(rows, box.columns), largest)
        else:
            for columns in box.columns.parts(column, _count(box, box.columns.ranges[column], largest)):
                yield from self.boxes(Box(box.rows, columns), largest)


def _next(stretch: Stretch, end: int) -> int | None:
    """The atom along which a stretch is cut next, the first of which it holds several indices."""
    place = next((place for place, indices in enumerate(stretch.ranges) if len(indices) > 1), end)
    return place if place < end else None


def _count(box: Box, indices: range, largest: int) -> int:
    """How many of an atom's indices go into a box."""
    return max(1, largest * len(indices) // box.size)
