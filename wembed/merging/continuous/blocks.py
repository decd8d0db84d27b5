"""Weights beside a site of heads: for each head its inner axis against everything else, and what may act on them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.merging.tensors import Tensors
from wembed.symmetry import Layer, SymmetrySpec
from wembed.symmetry.action.cells import Cell, Side
from wembed.symmetry.axes import atoms_of

Blocks = NDArray[np.float64]  # [P, d, n] for P heads of d inner dimensions

_ROLES: dict[Side, tuple[str, ...]] = {"target": ("weight", "bias"), "source": ("weight",)}


@dataclass(frozen=True)
class HeadCell:
    """A part of a tensor beside a site: the site's atoms, of which the inner dimension is the last, are on `places`."""

    tensor: str
    cell: Cell
    places: tuple[int, ...]

    def blocks(self, tensors: Tensors) -> Blocks:
        """Its values, by heads."""
        return self._laid_out(tensors, self.places)

    def blocks_by(self, atom: str, tensors: Tensors) -> Blocks:
        """The same by the indices of another of its atoms, such as queries that share a head, [P, r, d, n]."""
        *heads, inner = self.places
        blocks = self._laid_out(tensors, (*heads, self.cell.atoms.index(atom), inner))
        return blocks.reshape(-1, self.cell.shape[self.cell.atoms.index(atom)], *blocks.shape[1:])

    def holds(self, atoms: Collection[str]) -> bool:
        """Whether any of some atoms is among its own."""
        return not set(atoms).isdisjoint(self.cell.atoms)

    def _laid_out(self, tensors: Tensors, places: tuple[int, ...]) -> Blocks:
        values = self.cell.take(tensors[self.tensor])
        rest = [axis for axis in range(values.ndim) if axis not in places]
        moved = values.transpose([*places, *rest])
        count = int(np.prod([values.shape[place] for place in places[:-1]], dtype=np.int64))
        return moved.reshape(count, values.shape[places[-1]], -1)


def cells_beside(spec: SymmetrySpec, layers: Sequence[Layer], site: str, side: Side) -> Iterator[HeadCell]:
    """What some layers that write a site, or read it, hold along it."""
    atoms = tuple(atoms_of(spec.sites[site].axis))
    for layer in layers:
        for role in _ROLES[side]:
            if role in layer.tensors:
                cell = Cell.of(spec, layer, role)
                yield HeadCell(layer.tensors[role], cell, cell.places(atoms, side))


def all_blocks(cells: Sequence[HeadCell], tensors: Tensors) -> Blocks:
    """The values of several cells beside each other."""
    return np.concatenate([cell.blocks(tensors) for cell in cells], 2)
