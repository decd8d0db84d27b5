"""One layout for all weights: a layer's cell in, its values as targets x sources x taps out, whole or box by box."""

import math
from dataclasses import dataclass
from string import ascii_letters
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.action.cells import Cell, Side
from wembed.symmetry.action.channels import Channels
from wembed.symmetry.canonical_form.boxes import Box, Stretch
from wembed.symmetry.spec import SymmetrySpec

Real = TypeVar("Real", bound=np.floating[Any])  # of any width
Number = TypeVar("Number", bound=np.generic)
Index = slice | NDArray[np.intp]  # along one axis of a tensor


@dataclass(frozen=True)
class Layout:
    """Where the entries of a weight [T, S, K] stand in a cell.

    Args:
        cell: a layer's part of a tensor.
        labels: for each atom of the targets, of the sources and of the taps the axis of the cell that it stands on; a
            number beyond these where the cell lacks it.
        whole: the box of all targets and sources.
        taps: the number of taps K.
        repeats: how often the cell's sources are repeated; each entry is divided by it.
    """

    cell: Cell
    labels: tuple[int, ...]
    whole: Box
    taps: tuple[int, ...]
    repeats: int

    @classmethod
    def of(cls, cell: Cell, rows: Channels, columns: Channels | None, taps: tuple[str, ...]) -> Self:
        """The layout of a cell; without sources, a vector's [T, 1, 1].

        Args:
            cell: a layer's part of a tensor.
            rows: its targets. Those that the cell has fewer of are repeated.
            columns: its sources, the same.
            taps: see `taps_of`.
        """
        labels: list[int] = []
        lacking = len(cell.atoms)
        sides: tuple[tuple[Channels | None, Side], ...] = ((rows, "target"), (columns, "source"))
        repeats = 1
        for channels, side in sides:
            if channels is None:
                continue
            for number, size in enumerate(channels.shape):
                place = _place(cell, channels, number, side)
                if place is None:
                    place, lacking = lacking, lacking + 1
                    repeats *= size if side == "source" else 1
                labels.append(place)
        grid = [number for number, atom in enumerate(cell.atoms) if number not in labels and atom in taps]
        whole = Box(Stretch.whole(rows.shape), Stretch.whole(columns.shape if columns else ()))
        return cls(cell, (*labels, *grid), whole, tuple(cell.shape[number] for number in grid), repeats)

    def laid(self, values: NDArray[np.generic], box: Box, dtype: type[Real]) -> NDArray[Real]:
        """A box [t, s, K] of the weight, from the values of the cell that are in it.

        What stands on both sides (groups) makes blocks on the diagonal, with zeros around them.
        """
        found = self.ranges(box)
        sides = [*box.ranges, *map(range, self.taps)]
        shape = (_length(box.targets), _length(box.sources), self.count)
        is_diagonal = len(set(self.labels)) < len(self.labels)
        order = self._memory_order()
        out = (np.zeros if is_diagonal else np.empty)([len(sides[number]) for number in order], dtype)
        out = out.transpose(np.argsort(order))
        if not all(map(len, found)):
            return out.reshape(shape)
        into = out
        if is_diagonal:
            held = [found[label] if label < len(found) else None for label in self.labels]
            into = out[tuple(map(_within, held, sides))]
        kept = sorted(label for label in set(self.labels) if label < len(found))
        added = sorted(label for label in set(self.labels) if label >= len(found))
        names = ["".join(ascii_letters[label] for label in row) for row in (self.labels, [*added, *kept])]
        np.einsum("->".join(names), into)[...] = values.reshape([len(found[label]) for label in kept])  # into a view
        if self.repeats > 1:
            out /= self.repeats
        return out.reshape(shape)

    def taken(self, values: NDArray[Number]) -> NDArray[Number]:
        """The cell's values of a whole tensor, without a copy where they lie together."""
        if self.cell.index is None:
            return values.reshape(self.cell.shape)
        index = self.index(self.whole, values.shape)
        part = values[tuple(part if isinstance(part, slice) else slice(None) for part in index)]
        for axis, numbers in enumerate(index):
            part = part if isinstance(numbers, slice) else part.take(numbers, axis)
        return part

    def _memory_order(self) -> list[int]:
        """The order of the atoms in memory: sources before targets where the file has them so, which saves turning."""
        rows, columns = len(self.whole.rows.shape), len(self.whole.columns.shape)
        first, second, taps = range(rows), range(rows, rows + columns), range(rows + columns, len(self.labels))
        is_turned = max(self.labels[rows : rows + columns], default=len(self.labels)) < min(self.labels[:rows])
        return [*second, *first, *taps] if is_turned else [*first, *second, *taps]

    @property
    def count(self) -> int:
        """The number of taps K."""
        return math.prod(self.taps)

    def ranges(self, box: Box) -> list[range]:
        """What a box holds of each axis of the cell; nothing where it lies beside the diagonal."""
        found = [range(size) for size in self.cell.shape]
        for label, indices in zip(self.labels, box.ranges, strict=False):
            if label < len(found):
                found[label] = range(max(found[label].start, indices.start), min(found[label].stop, indices.stop))
        return found

    def index(self, box: Box, shape: tuple[int, ...]) -> list[Index]:
        """Where the values of a box stand along each axis of the tensor.

        Args:
            box: a part of the weight.
            shape: the tensor's.
        """
        found, index, first = self.ranges(box), [], 0
        for axis, size in enumerate(shape):
            own = np.arange(size) if self.cell.index is None else self.cell.index[axis]
            last = first
            while math.prod(self.cell.shape[first:last]) < len(own):
                last += 1
            by_atom = own.reshape(self.cell.shape[first:last])
            part = by_atom[tuple(slice(indices.start, indices.stop) for indices in found[first:last])].reshape(-1)
            is_range = len(part) > 0 and part[-1] - part[0] + 1 == len(part)  # they are in order
            index.append(slice(int(part[0]), int(part[-1]) + 1) if is_range else part)
            first = last
        return index


def _length(channels: slice) -> int:
    return int(channels.stop - channels.start)


def _within(held: range | None, indices: range) -> slice:
    """Where what is held stands in a range of indices."""
    return slice(held.start - indices.start, held.stop - indices.start) if held else slice(None)


def mixed_along(
    weight: NDArray[Real], channels: Channels, matrices: NDArray[np.float64], axis: int, stretch: Stretch
) -> NDArray[Real]:
    """A box [t, s, K] of a weight with its targets (axis 0) or its sources (axis 1) mixed, which it holds whole.

    Args:
        weight: the box.
        channels: what is mixed.
        matrices: [P, d, d], for each index of all but the last of the site's own atoms.
        axis: which side.
        stretch: the channels that the box holds.
    """
    parted = weight.reshape(*weight.shape[:axis], *map(len, stretch.ranges), *weight.shape[axis + 1 :])
    groups = channels.own[:-1]
    by_group = matrices.reshape([*(channels.shape[place] for place in groups), *matrices.shape[1:]])
    here = by_group[tuple(slice(stretch.ranges[place].start, stretch.ranges[place].stop) for place in groups)]
    here = here.reshape(-1, *matrices.shape[1:]).astype(weight.dtype, copy=False)
    places = [axis + place for place in channels.own]
    order = [*places, *(place for place in range(parted.ndim) if place not in places)]
    moved = parted.transpose(order)
    mixed = (here @ moved.reshape(*here.shape[:2], -1)).reshape(moved.shape)  # [P, d, rest]
    return np.ascontiguousarray(mixed.transpose(np.argsort(order))).reshape(weight.shape)


def taps_of(spec: SymmetrySpec, cell: Cell, rows: Channels, columns: Channels) -> tuple[str, ...]:
    """The atoms that make up a weight's taps: what a flatten put beside the source, then the kernel's."""
    used = {_place(cell, rows, number, "target") for number in range(len(rows.atoms))}
    used |= {_place(cell, columns, number, "source") for number in range(len(columns.atoms))}
    found: dict[bool, list[str]] = {False: [], True: []}
    for number, (atom, role) in enumerate(zip(cell.atoms, cell.roles, strict=True)):
        is_grid = role == "tap" or spec.atoms[atom].kind == "spatial"
        if number not in used and (is_grid or spec.sizes[atom] > 1):
            found[role == "tap"].append(atom)
    return (*found[False], *found[True])


def _place(cell: Cell, channels: Channels, number: int, side: Side) -> int | None:
    """Where an atom of a site's channels stands in a cell; one that is not the site's own on its own side only."""
    place = cell.place(channels.atoms[number], side)
    if place is not None and number not in channels.own and cell.roles[place] != side:
        return None
    return place
