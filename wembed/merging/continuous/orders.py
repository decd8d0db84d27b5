"""Orders: two networks in; the second after the permutation of one atom that brings it nearest to the first out.

Hidden units are paired as in weight matching; a site that lets signs through on its own (what a gate is multiplied by)
has them chosen pair by pair. Heads are paired by what maps could make of them, which needs no basis; queries that share
a key's head are ordered inside it.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.merging.continuous.linear import LinearMaps
from wembed.merging.continuous.moves import Move, settled
from wembed.merging.continuous.rotary import RotaryTurns
from wembed.merging.gauge import SIGNED
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec
from wembed.symmetry.action.cells import Cell
from wembed.symmetry.axes import atoms_of

Square = NDArray[np.float64]
_SIDES: tuple[Literal["target", "source"], ...] = ("target", "source")


HeadMap = LinearMaps | RotaryTurns


@dataclass(frozen=True)
class HeadOrder(Move):
    """The order of heads, by what the maps inside them can make alike."""

    spec: SymmetrySpec
    atom: str
    maps: tuple[HeadMap, ...]

    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move."""
        return self._ordered((), first, second)

    def guess(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move: by what does not lie along queries that share a key's head."""
        shared = [atom.name for atom in self.spec.atoms.values() if atom.under == self.atom and atom.kind == "head"]
        return self._ordered(shared, first, second)

    def _ordered(self, shared: Sequence[str], first: Tensors, second: Tensors) -> Tensors:
        total = np.zeros((self.spec.sizes[self.atom],) * 2)
        for move in self.maps:
            total += move.alike(first, second, shared)
        for site in self.spec.sites.values():
            if site.axis == self.atom:
                places = _beside(self.spec, self.atom, site.name, self.spec.tensors.keys())
                total += _similarity(len(total), first, second, places)
        return acted(Action({self.atom: _assigned(total)}, {}), self.spec, second)


@dataclass(frozen=True)
class InnerOrder(Move):
    """The orders of an atom inside each index of the one that it is under."""

    spec: SymmetrySpec
    atom: str
    maps: tuple[HeadMap, ...]

    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move."""
        parent = self.spec.atoms[self.atom].under
        shape = self.spec.sizes[parent], self.spec.sizes[self.atom]
        total = np.zeros((*shape, shape[1]))
        for layer in self.spec.layers:
            for role, name in layer.tensors.items():
                cell = Cell.of(self.spec, layer, role)
                if {self.atom, parent} <= set(cell.atoms):
                    places = cell.atoms.index(parent), cell.atoms.index(self.atom)
                    one, other = (np.moveaxis(cell.take(tensors[name]), places, (0, 1)) for tensors in (first, second))
                    total += one.reshape(*shape, -1) @ other.reshape(*shape, -1).transpose(0, 2, 1)
        return self._ordered(total, second)

    def guess(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move: by what maps can make alike."""
        total = np.zeros((self.spec.sizes[self.spec.atoms[self.atom].under], *(self.spec.sizes[self.atom],) * 2))
        for move in self.maps:
            total += move.alike_inside(first, second, self.atom)
        return self._ordered(total, second)

    def _ordered(self, similarity: NDArray[np.float64], second: Tensors) -> Tensors:
        index = np.stack([_assigned(inside) for inside in similarity])
        return acted(Action({self.atom: index}, {}), self.spec, second)


@dataclass(frozen=True)
class UnitOrder(Move):
    """The order of hidden units, and the signs that sites along them allow."""

    spec: SymmetrySpec
    atom: str

    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move."""
        return self._ordered(self.spec.tensors.keys(), first, second)

    def guess(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move: by what lies along no other units."""
        return self._ordered(settled(self.spec, self.atom), first, second)

    def _ordered(self, names: Set[str], first: Tensors, second: Tensors) -> Tensors:
        plain, signed = np.zeros((self.spec.sizes[self.atom],) * 2), {}
        for site in self.spec.sites.values():
            if self.atom in atoms_of(site.axis):
                found = _similarity(len(plain), first, second, _beside(self.spec, self.atom, site.name, names))
                if site.axis == self.atom and site.scale in SIGNED and not site.dual:
                    signed[site.name] = found
                else:
                    plain += found
        index = _assigned(plain + sum(np.abs(found) for found in signed.values()))
        signs = {site: _signs(found, index) for site, found in signed.items()}
        return acted(Action({self.atom: index}, signs), self.spec, second)


def _assigned(similarity: Square) -> NDArray[np.intp]:
    return np.asarray(linear_sum_assignment(similarity, maximize=True)[1], dtype=np.intp)


def _signs(similarity: Square, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """The signs of pairs, by the second's old index."""
    signs = np.ones(len(index))
    signs[index] = np.where(similarity[np.arange(len(index)), index] < 0, -1.0, 1.0)
    return signs


def _similarity(size: int, first: Tensors, second: Tensors, places: Iterable["_Place"]) -> Square:
    """The inner products [n, n] of the two networks' units over some places."""
    total = np.zeros((size, size))
    for place in places:
        one, other = (np.moveaxis(place.cell.take(tensors[place.tensor]), place.axis, 0) for tensors in (first, second))
        total += one.reshape(size, -1) @ other.reshape(size, -1).T
    return total


@dataclass(frozen=True)
class _Place:
    """Where units stand: an axis of a part of a tensor."""

    tensor: str
    cell: Cell
    axis: int


def _beside(spec: SymmetrySpec, atom: str, site: str, names: Set[str]) -> Iterator[_Place]:
    """The places of an atom in those tensors, of some, that write or read a site."""
    for layer in spec.layers:
        for side in _SIDES:
            if (layer.target if side == "target" else layer.source) == site:
                for role in layer.tensors if side == "target" else {"weight"} & layer.tensors.keys():
                    cell = Cell.of(spec, layer, role)
                    axis = cell.place(atom, side)
                    if axis is not None and layer.tensors[role] in names:
                        yield _Place(layer.tensors[role], cell, axis)
