"""Two networks in; which head of the second is which of the first, and within each pair which dimension, out.

What a head's dimensions read and write is known up to a factor for each of them, so that directions are compared; the
best assignment of dimensions says how alike two heads are, and the best assignment of heads follows from these.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.merging.matching.groups import pair_positions
from wembed.merging.tensors import Tensors
from wembed.symmetry import Action, SymmetrySpec
from wembed.symmetry.axes import Axis, atoms_of

Cosines = NDArray[np.float64]  # [heads, heads, dimensions, dimensions]
_LARGEST = 1 << 26  # cosines


def match_heads(first: Tensors, second: Tensors, spec: SymmetrySpec, head: str, settled: Collection[str]) -> Action:
    """The permutation of an atom and of the atoms under it that brings the second network's heads to the first's.

    Args:
        first: a network.
        second: another.
        spec: of both.
        head: the atom.
        settled: the free atoms that are in order.
    """
    below = [atom.name for atom in spec.atoms.values() if atom.under == head and not atom.frozen]
    size = spec.sizes[head]
    likeness, orders = np.zeros((size, size)), {}
    for name in below:
        if size**2 * spec.sizes[name] ** 2 > _LARGEST:
            continue
        cosines = _cosines(first, second, spec, (head, name), settled)
        orders[name] = np.zeros((size, size, spec.sizes[name]), dtype=np.intp)
        for pair in np.ndindex(size, size):
            index = linear_sum_assignment(cosines[pair], maximize=True)[1]
            orders[name][pair] = index
            likeness[pair] += cosines[pair][np.arange(len(index)), index].sum()
    order = linear_sum_assignment(likeness, maximize=True)[1].astype(np.intp)
    old = np.argsort(order)  # of each of the second's heads the place that it comes to
    dimensions = {name: found[old, np.arange(size)] for name, found in orders.items()}
    return Action({head: order, **dimensions}, {})


def _cosines(
    first: Tensors, second: Tensors, spec: SymmetrySpec, atoms: tuple[str, str], settled: Collection[str]
) -> Cosines:
    head, below = (spec.sizes[atom] for atom in atoms)
    total = np.zeros((head, head, below, below))
    for name, number in _axes_of(spec, atoms, settled):
        places = pair_positions(spec.tensors[name][number], atoms, spec.sizes)  # [heads, dimensions, times]
        for index in np.moveaxis(places, -1, 0):
            one, other = (_directions(tensors[name], number, index) for tensors in (first, second))
            total += np.abs(np.einsum("hdm,gem->hgde", one, other, optimize=True))
    return total


def _axes_of(spec: SymmetrySpec, atoms: tuple[str, str], settled: Collection[str]) -> list[tuple[str, int]]:
    """Tensor and axis wherever heads and what is under them stand and all else is settled.

    Where there are any, those alone that hold nothing else that is permuted within heads.
    """
    found = {
        (name, number): {atom for atom in atoms_of(axis) if not spec.atoms[atom].frozen} - set(atoms) - set(settled)
        for name, axes in spec.tensors.items()
        for number, axis in enumerate(axes)
        if set(atoms) <= set(atoms_of(axis)) and _others(spec, axes, number) <= set(settled)
    }
    return [place for place, beside in found.items() if not beside] or list(found)


def _others(spec: SymmetrySpec, axes: tuple[Axis, ...], number: int) -> set[str]:
    found = {atom for other, axis in enumerate(axes) if other != number for atom in atoms_of(axis)}
    return {atom for atom in found if not spec.atoms[atom].frozen}


def _directions(values: NDArray[np.float64], axis: int, index: NDArray[np.intp]) -> NDArray[np.float64]:
    rows = np.moveaxis(values, axis, 0)[index].reshape(*index.shape, -1)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0))
