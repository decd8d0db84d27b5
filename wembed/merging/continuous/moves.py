"""Moves: what may be done to a network without changing what it computes; each has a best choice, all else held still.

A smooth move also says how a loss changes along it, from the loss's gradient in the weights, and takes steps: what
gradient descent on matrices needs.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from wembed.merging.tensors import Tensors
from wembed.symmetry import SymmetrySpec
from wembed.symmetry.axes import atoms_of

Tangent = NDArray[np.float64] | NDArray[np.complex128]


class Move(ABC):
    """Maps of one kind at one place."""

    @abstractmethod
    def nearest(self, first: Tensors, second: Tensors) -> Tensors:
        """The second network after the map that brings it nearest to the first."""

    def guess(self, first: Tensors, second: Tensors) -> Tensors:
        """The second network after a first choice, which needs no other moves to have been made inside its heads."""
        return self.nearest(first, second)


class SmoothMove(Move):
    """Maps that small steps lead to from the one that changes nothing."""

    @abstractmethod
    def slope(self, gradient: Tensors, tensors: Tensors) -> Tangent:
        """How a loss grows along the maps of a network, where its gradient in the network's weights is known."""

    @abstractmethod
    def stepped(self, tensors: Tensors, step: Tangent) -> Tensors:
        """The network after the map that a step leads to, for a small step about one plus the step."""


def settled(spec: SymmetrySpec, atom: str) -> set[str]:
    """The tensors along an atom whose other axes nothing permutes: of a stream, its embeddings and last readers."""
    found = set()
    for name, axes in spec.tensors.items():
        atoms = {part for axis in axes for part in atoms_of(axis)}
        if atom in atoms and all(spec.atoms[other].frozen for other in atoms - {atom}):
            found.add(name)
    return found
