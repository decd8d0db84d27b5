"""Turns of rotary planes: two networks in; the second after the factors of each plane that bring it nearest out.

A rotary embedding turns queries and keys plane by plane, so that one complex number for each plane may stand between
them. As with matrices, both networks' sides are made equally large first, so that only a phase is left.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.merging.continuous.blocks import HeadCell, cells_beside
from wembed.merging.continuous.moves import SmoothMove, Tangent
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec
from wembed.symmetry.action.sides import Sides

Planes = NDArray[np.complex128]  # [P, d, n] for P heads of d frequency planes
_DEAD = 1e-9  # of the largest plane's size: those below it carry nothing


@dataclass(frozen=True)
class PlaneCell:
    """A part of a tensor that writes a rotary site: where its real and its imaginary halves are."""

    real: HeadCell
    imaginary: HeadCell

    def planes(self, tensors: Tensors) -> Planes:
        """Its values, by heads."""
        return np.asarray(self.real.blocks(tensors) + 1j * self.imaginary.blocks(tensors))

    def planes_by(self, atom: str, tensors: Tensors) -> Planes:
        """The same by the indices of another of its atoms, [P, r, d, n]."""
        return np.asarray(self.real.blocks_by(atom, tensors) + 1j * self.imaginary.blocks_by(atom, tensors))

    def holds(self, atoms: Collection[str]) -> bool:
        """Whether any of some atoms is among its own."""
        return self.real.holds(atoms)


@dataclass(frozen=True)
class RotaryTurns(SmoothMove):
    """The complex factors of one site.

    Args:
        spec: whose site.
        site: its name.
        own: what writes it, which factors multiply.
        duals: what writes its duals, which the inverses of their conjugates multiply.
    """

    spec: SymmetrySpec
    site: str
    own: tuple[PlaneCell, ...]
    duals: tuple[PlaneCell, ...]

    @classmethod
    def of(cls, sides: Sides, site: str) -> "RotaryTurns":
        """Those of a site that turns pass."""
        duals = [cell for dual in sides.duals[site] for cell in _cells(sides, dual)]
        return cls(sides.spec, site, tuple(_cells(sides, site)), tuple(duals))

    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move."""
        ours, theirs = self._sizes(first), self._sizes(second)
        both = ours * theirs * _products(self.own, first, second)
        both = both + _products(self.duals, first, second) / (ours * theirs)
        phases = np.where(np.abs(both) > 0, both, 1.0)
        return self._multiplied(second, theirs / ours * phases / np.abs(phases))

    def alike(self, first: Tensors, second: Tensors, shared: Collection[str]) -> NDArray[np.float64]:
        """How alike each of the first network's heads and of the second's can become, [P, P].

        Args:
            first: the network that stays.
            second: the network that moves.
            shared: atoms whose order is not known yet; what lies along them is left out.
        """
        sizes = self._sizes(first)[:, None] * self._sizes(second)[None]  # [P, P, d]
        total = np.zeros(())
        for cells, factors in ((self.own, sizes), (self.duals, 1.0 / sizes)):
            for cell in (cell for cell in cells if not cell.holds(shared)):
                one, other = cell.planes(first), cell.planes(second).conj()
                total = total + np.abs(factors * np.einsum("pdn,qdn->pqd", one, other, optimize=True)).sum(2)
        return total

    def alike_inside(self, first: Tensors, second: Tensors, atom: str) -> NDArray[np.float64]:
        """How alike indices of an atom can become inside heads that are paired, [P, r, r], or 0 if it is not there."""
        sizes = (self._sizes(first) * self._sizes(second))[:, None, None]  # [P, 1, 1, d]
        total = np.zeros(())
        for cells, factors in ((self.own, sizes), (self.duals, 1.0 / sizes)):
            for cell in (cell for cell in cells if cell.holds({atom})):
                one, other = cell.planes_by(atom, first), cell.planes_by(atom, second).conj()
                total = total + np.abs(factors * np.einsum("prdn,psdn->prsd", one, other, optimize=True)).sum(3)
        return total

    def slope(self, gradient: Tensors, tensors: Tensors) -> Tangent:
        """See SmoothMove."""
        return np.asarray(_products(self.own, gradient, tensors) - _products(self.duals, tensors, gradient))

    def stepped(self, tensors: Tensors, step: Tangent) -> Tensors:
        """See SmoothMove."""
        return self._multiplied(tensors, np.exp(step))

    def _multiplied(self, tensors: Tensors, factors: Tangent) -> Tensors:
        turns = np.asarray(factors.reshape(-1), dtype=np.complex128)
        return acted(Action({}, {}, turns={self.site: turns}), self.spec, tensors)

    def _sizes(self, tensors: Tensors) -> NDArray[np.float64]:
        """The factors [P, d] that make a site's planes as large as its duals'."""
        own, duals = (
            np.sqrt(sum(np.square(np.abs(cell.planes(tensors))).sum(2) for cell in cells))
            for cells in (self.own, self.duals)
        )
        return np.asarray(np.sqrt(_ratio(duals, own)))


def _cells(sides: Sides, site: str) -> Iterator[PlaneCell]:
    for halves in sides.halves(site):
        cells = (cells_beside(sides.spec, [half], site, "target") for half in halves)
        yield from (PlaneCell(real, imaginary) for real, imaginary in zip(*cells, strict=True))


def _products(cells: Sequence[PlaneCell], first: Tensors, second: Tensors) -> Planes:
    """The inner products [P, d] of two networks' planes."""
    found = [np.einsum("pdn,pdn->pd", cell.planes(first), cell.planes(second).conj()) for cell in cells]
    return np.asarray(sum(found), dtype=np.complex128)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quotient of sizes, 1 where either is next to nothing."""
    alive = np.minimum(above, below) > _DEAD * max(float(above.max()), float(below.max()))
    return np.where(alive, above, 1.0) / np.where(alive, below, 1.0)
