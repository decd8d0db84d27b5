"""What a value carries: for each part of its axes, the site that its factors belong to.

A value's axes are expressions over atoms; sums inside them (fused q|k|v, concatenations) divide it into cells, one for
each choice of parts, and each cell has at most one site. A weight is carried as itself for as long as it is only
transposed or cut, so that the operator that uses it knows which axis of which tensor, and which part, it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, product

from wembed.symmetry.axes import Axis, Product, part_atoms, parts_of
from wembed.symmetry.trace.sites import Ref

Part = tuple[int, ...]  # of one axis, see `parts_of`
Cell = tuple[Part, ...]  # one part for each axis
Axes = tuple[Axis, ...]

UNIT = Product(())  # an axis of size 1


@dataclass(frozen=True)
class Carried:
    """A value.

    Args:
        axes: its axes.
        refs: cell -> site; a cell that is not there carries no factor: it is what it is.
        convex: the axis along which its entries are weights that add up to 1, or -1.
    """

    axes: Axes
    refs: Mapping[Cell, Ref]
    convex: int = -1


@dataclass(frozen=True)
class Weight:
    """A parameter, or a part of one, its axes in another order perhaps.

    Args:
        tensor: its name.
        axes: as they are used.
        places: for each of them which axis of the tensor it is, or -1 for one of size 1 that was added.
        parts: for each of them, part -> part of the tensor's axis.
        chosen: the atom of which every position has picked one index (its expert), or "": the axis that stands for it
            is the positions'.
    """

    tensor: str
    axes: Axes
    places: tuple[int, ...]
    parts: tuple[Mapping[Part, Part], ...]
    chosen: str = ""

    @classmethod
    def whole(cls, tensor: str, axes: Axes) -> "Weight":
        """A parameter as it is stored."""
        return cls(tensor, axes, tuple(range(len(axes))), tuple({part: part for part in parts_of(a)} for a in axes))

    def at(self, order: tuple[int, ...]) -> "Weight":
        """Its axes in another order, or fewer of them."""
        places, parts = tuple(self.places[i] for i in order), tuple(self.parts[i] for i in order)
        return Weight(self.tensor, tuple(self.axes[i] for i in order), places, parts, self.chosen)


State = Carried | Weight | tuple[Carried | Weight, ...]


def cells_of(axes: Axes) -> list[Cell]:
    """All cells of a value."""
    return [tuple(cell) for cell in product(*(parts_of(axis) for axis in axes))]


def atoms_of_cell(axes: Axes, cell: Cell) -> tuple[str, ...]:
    """The atoms of a cell, axis by axis; one that stands on two axes is there twice."""
    return tuple(chain.from_iterable(part_atoms(axis, part) for axis, part in zip(axes, cell, strict=True)))


def flat(cell: Cell) -> tuple[int, ...]:
    """A cell's choices in one row: what a reshape leaves as it is."""
    return tuple(chain.from_iterable(cell))
