"""Maps inside heads: two networks in; the second after the invertible map of each head that brings it nearest out.

Queries and keys enter a head's scores as a product, and so do values and what reads them; any invertible matrix may
stand between the two. Both networks' sides are balanced first, as the canonical form does, so that only a rotation is
left, an orthogonal Procrustes problem; then it is all brought into the first network's own basis.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from wembed.merging.continuous.blocks import Blocks, HeadCell, all_blocks, cells_beside
from wembed.merging.continuous.moves import SmoothMove, Tangent
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec
from wembed.symmetry.action.sides import Sides

_Side = Literal["grows", "shrinks"]
_DEAD = 1e-9  # of a head's size: directions below it carry nothing


@dataclass(frozen=True)
class LinearMaps(SmoothMove):
    """The invertible maps of one site inside heads.

    Args:
        spec: whose site.
        site: its name.
        grows: what a map multiplies: writers of the site, readers of its duals.
        shrinks: what its inverse, transposed, multiplies: readers, and writers of duals.
    """

    spec: SymmetrySpec
    site: str
    grows: tuple[HeadCell, ...]
    shrinks: tuple[HeadCell, ...]

    @classmethod
    def of(cls, sides: Sides, site: str) -> "LinearMaps":
        """Those of a site that any matrix passes."""
        grows = list(cells_beside(sides.spec, sides.writers[site], site, "target"))
        shrinks = list(cells_beside(sides.spec, sides.readers[site], site, "source"))
        for dual in sides.duals[site]:
            shrinks += cells_beside(sides.spec, sides.writers[dual], dual, "target")
            grows += cells_beside(sides.spec, sides.readers[dual], dual, "source")
        return cls(sides.spec, site, tuple(grows), tuple(shrinks))

    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move."""
        ours, theirs = self._balance(first), self._balance(second)
        products = sum(
            ours.of_side(side, all_blocks(cells, first)) @ _transposed(theirs.of_side(side, all_blocks(cells, second)))
            for side, cells in self._sides()
        )
        return self._mixed(second, ours.back @ procrustes(np.asarray(products)) @ theirs.there)

    def alike(self, first: Tensors, second: Tensors, shared: Collection[str]) -> NDArray[np.float64]:
        """How alike each of the first network's heads and of the second's can become, [P, P].

        Args:
            first: the network that stays.
            second: the network that moves.
            shared: atoms whose order is not known yet; what lies along them is left out.
        """
        ours, theirs = self._balance(first), self._balance(second)
        products = 0.0
        for side, cells in self._sides():
            if plain := [cell for cell in cells if not cell.holds(shared)]:
                one, other = (
                    ours.of_side(side, all_blocks(plain, first)),
                    theirs.of_side(side, all_blocks(plain, second)),
                )
                products = products + np.einsum("pdn,qen->pqde", one, other, optimize=True)
        return np.asarray(np.linalg.svd(products, compute_uv=False).sum(-1))

    def alike_inside(self, first: Tensors, second: Tensors, atom: str) -> NDArray[np.float64]:
        """How alike indices of an atom can become inside heads that are paired, [P, r, r], or 0 if it is not there."""
        ours, theirs = self._balance(first), self._balance(second)
        total = np.zeros(())
        for side, cells in self._sides():
            for cell in (cell for cell in cells if cell.holds({atom})):
                one, other = (
                    ours.of_side(side, cell.blocks_by(atom, first)),
                    theirs.of_side(side, cell.blocks_by(atom, second)),
                )
                products = np.einsum("prdn,psen->prsde", one, other, optimize=True)
                total = total + np.linalg.svd(products, compute_uv=False).sum(-1)
        return total

    def slope(self, gradient: Tensors, tensors: Tensors) -> Tangent:
        """See SmoothMove."""
        grown = all_blocks(self.grows, gradient) @ _transposed(all_blocks(self.grows, tensors))
        shrunk = all_blocks(self.shrinks, tensors) @ _transposed(all_blocks(self.shrinks, gradient))
        return np.asarray(grown - shrunk)

    def stepped(self, tensors: Tensors, step: Tangent) -> Tensors:
        """See SmoothMove."""
        return self._mixed(tensors, np.asarray(expm(np.real(step))))

    def _mixed(self, tensors: Tensors, maps: Blocks) -> Tensors:
        return acted(Action({}, {}, {self.site: maps}), self.spec, tensors)

    def _sides(self) -> tuple[tuple[_Side, tuple[HeadCell, ...]], ...]:
        return ("grows", self.grows), ("shrinks", self.shrinks)

    def _balance(self, tensors: Tensors) -> "_Balance":
        return _Balance.of(all_blocks(self.grows, tensors), all_blocks(self.shrinks, tensors))


@dataclass(frozen=True)
class _Balance:
    """An invertible map that makes a site's two sides equally large.

    Args:
        there: the map [P, d, d] from the file's basis to the balanced one.
        back: its inverse.
    """

    there: Blocks
    back: Blocks

    @classmethod
    def of(cls, grows: Blocks, shrinks: Blocks) -> "_Balance":
        there = _balance(grows @ _transposed(grows), shrinks @ _transposed(shrinks))
        return cls(there, np.asarray(np.linalg.inv(there), dtype=np.float64))

    def of_side(self, side: _Side, blocks: Blocks) -> Blocks:
        """One side's blocks [P, ..., d, n] in the balanced basis."""
        maps = self.there if side == "grows" else _transposed(self.back)
        return np.asarray(maps.reshape(len(maps), *[1] * (blocks.ndim - 3), *maps.shape[1:]) @ blocks)


def procrustes(products: Blocks) -> Blocks:
    """The orthogonal matrices [..., n, n] with the largest inner products with some."""
    left, _, right = np.linalg.svd(products)
    return np.asarray(left @ right, dtype=np.float64)


def _balance(grows: Blocks, shrinks: Blocks) -> Blocks:
    """The positive matrices T with T A T = inv(T) B inv(T), of two sides' squares A and B [P, d, d]."""
    root = _root(_invertible(grows))
    back = np.linalg.inv(root)
    return _root(back @ _root(root @ _invertible(shrinks) @ root) @ back)


def _invertible(squares: Blocks) -> Blocks:
    """Squares [P, d, d] with something small in all directions that carry nothing."""
    size = np.trace(squares, axis1=1, axis2=2)[:, None, None]
    return squares + np.where(size > 0, _DEAD * size, 1.0) * np.eye(squares.shape[1])


def _root(squares: Blocks) -> Blocks:
    """The positive roots of positive matrices, which rounding may have made unsymmetric."""
    values, vectors = np.linalg.eigh((squares + _transposed(squares)) / 2.0)
    least = np.finfo(float).eps * values.max(1, keepdims=True)
    return np.asarray((vectors * np.sqrt(np.maximum(values, least))[:, None, :]) @ _transposed(vectors))


def _transposed(blocks: Blocks) -> Blocks:
    return blocks.transpose(0, 2, 1)
