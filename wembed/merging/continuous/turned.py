"""Turning streams: networks with folded gains in; one of them after an orthogonal map of its residual stream out.

The best map of all that writes and reads a stream solves an orthogonal Procrustes problem (Schoenemann, 1966). It keeps
the vector of ones, so that a norm that subtracts the mean sees no difference.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from wembed.merging.continuous.linear import procrustes
from wembed.merging.continuous.moves import SmoothMove, Tangent, settled
from wembed.merging.continuous.streams import Stream
from wembed.merging.tensors import Tensors
from wembed.symmetry import SymmetrySpec

Square = NDArray[np.float64]


@dataclass(frozen=True)
class StreamTurn(SmoothMove):
    """The orthogonal maps of a stream of a spec."""

    spec: SymmetrySpec
    stream: Stream

    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move."""
        return turned(second, self.stream, orthogonal(self._products(self.stream.turned, first, second)))

    def guess(self, first: Tensors, second: Tensors) -> Tensors:
        """See Move: by embeddings, and by what reads the last norm."""
        names = self.stream.turned.keys() & settled(self.spec, self.stream.atom)
        return turned(second, self.stream, orthogonal(self._products(sorted(names), first, second)))

    def slope(self, gradient: Tensors, tensors: Tensors) -> Tangent:
        """See SmoothMove."""
        products = self._products(self.stream.turned, gradient, tensors)
        return _centred(products - products.T) / 2.0

    def stepped(self, tensors: Tensors, step: Tangent) -> Tensors:
        """See SmoothMove."""
        step = np.real(step)
        return turned(tensors, self.stream, np.asarray(expm(_centred(step - step.T) / 2.0)))

    def _products(self, names: Iterable[str], first: Tensors, second: Tensors) -> Square:
        """The inner products [n, n] of two networks' channels."""
        size = len(first[self.stream.norms[0].gain])
        total = np.zeros((size, size))
        for name in names:
            axis = self.stream.turned[name]
            one, other = (np.moveaxis(tensors[name], axis, 0).reshape(size, -1) for tensors in (first, second))
            total += one @ other.T
        return total


def turned(tensors: Tensors, stream: Stream, turn: Square) -> Tensors:
    """Folded tensors with their stream turned by an orthogonal matrix [n, n] that keeps the vector of ones."""
    moved = {
        name: np.moveaxis(np.tensordot(turn, tensors[name], (1, axis)), 0, axis) for name, axis in stream.turned.items()
    }
    return {**tensors, **moved}


def orthogonal(products: Square) -> Square:
    """The orthogonal matrix that keeps the vector of ones with the largest inner product with a matrix."""
    centred = _centred(products)
    return procrustes(centred + max(float(np.linalg.norm(centred)), 1.0) / len(products))


def _centred(matrix: Square) -> Square:
    """What a matrix does to what is free of a mean, and of that what is free of a mean."""
    return np.asarray(matrix - matrix.mean(0) - matrix.mean(1)[:, None] + matrix.mean())
