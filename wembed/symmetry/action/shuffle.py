"""Permuting tensors: permutations of atoms in, tensors with the indices of all their axes in the new order out.

A permutation [n] says for every new index the old one. Of an atom that is under another it may be [parents, n]: for
each old index of the parent a permutation of its own.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.axes import Axis, atoms_of, part_atoms, part_index, parts_of
from wembed.symmetry.spec import SymmetrySpec

Permutations = Mapping[str, NDArray[np.intp]]


def shuffled(
    values: NDArray[np.generic], axes: tuple[Axis, ...], permutations: Permutations, spec: SymmetrySpec
) -> NDArray[np.generic]:
    """A tensor after its atoms were permuted."""
    for number, axis in enumerate(axes):
        if values.shape[number] > 1 and any(atom in permutations for atom in atoms_of(axis)):
            values = values.take(old_index(axis, permutations, spec), axis=number)
    for number, axis in enumerate(axes):
        for atom, parent in _apart(axis, permutations, spec):
            values = _shuffled_apart(values, axes, (number, atom, parent), permutations, spec)
    return values


def old_index(
    axis: Axis, permutations: Permutations, spec: SymmetrySpec, without: str | None = None
) -> NDArray[np.intp]:
    """For every new index of an axis the old one, [N]; what depends on another axis stays where it is.

    Args:
        axis: one axis.
        permutations: of its atoms.
        spec: that it belongs to.
        without: an atom; parts of the axis that it stands in stay as they are.
    """
    index = np.arange(spec.size_of(axis), dtype=np.intp)
    for part in parts_of(axis):
        if without in part_atoms(axis, part):
            continue
        place = part_index(axis, part, spec.sizes)
        index[place] = place[_old_in_part(part_atoms(axis, part), permutations, spec)]
    return index


def _old_in_part(atoms: tuple[str, ...], permutations: Permutations, spec: SymmetrySpec) -> NDArray[np.intp]:
    shape = tuple(spec.sizes[atom] for atom in atoms)
    if not atoms or 0 in shape:
        return np.arange(int(np.prod(shape)), dtype=np.intp)
    grid = np.indices(shape, sparse=True)
    old = []
    for atom, place in zip(atoms, grid, strict=True):
        permutation, parent = permutations.get(atom), spec.atoms[atom].under
        if permutation is None or (permutation.ndim == 2 and parent not in atoms):
            old.append(place)
        elif permutation.ndim == 1:
            old.append(permutation[place])
        else:
            above = grid[atoms.index(parent)]
            old.append(permutation[permutations[parent][above] if parent in permutations else above, place])
    flat: NDArray[np.intp] = np.ravel_multi_index(np.broadcast_arrays(*old), shape).reshape(-1)
    return flat


def _apart(axis: Axis, permutations: Permutations, spec: SymmetrySpec) -> list[tuple[str, str]]:
    """The atoms of an axis whose parent stands on another, with that parent."""
    found = {}
    for part in parts_of(axis):
        atoms = part_atoms(axis, part)
        for atom in atoms:
            if atom in permutations and permutations[atom].ndim == 2 and spec.atoms[atom].under not in atoms:
                found[atom] = spec.atoms[atom].under
    return list(found.items())


def _shuffled_apart(
    values: NDArray[np.generic],
    axes: tuple[Axis, ...],
    place: tuple[int, str, str],
    permutations: Permutations,
    spec: SymmetrySpec,
) -> NDArray[np.generic]:
    """Values after an atom was permuted in each slice of its parent's axis; that axis is in its new order already."""
    number, atom, parent = place
    over = next(i for i, axis in enumerate(axes) if i != number and parent in atoms_of(axis))
    index = np.arange(spec.sizes[parent], dtype=np.intp)
    numbers = _numbers(axes[over], parent, spec)
    values = values.copy()
    for new, old in enumerate(permutations.get(parent, index)):
        where = [slice(None)] * values.ndim
        where[over] = np.flatnonzero(numbers == new)  # type: ignore[call-overload]  # an index array among slices
        inner = old_index(axes[number], {atom: permutations[atom][old]}, spec, without=parent)
        values[tuple(where)] = values[tuple(where)].take(inner, axis=number)
    return values


def _numbers(axis: Axis, atom: str, spec: SymmetrySpec) -> NDArray[np.intp]:
    """For every index of an axis that of one of its atoms, [N]."""
    numbers = np.zeros(spec.size_of(axis), dtype=np.intp)
    for part in parts_of(axis):
        atoms = part_atoms(axis, part)
        grid = np.indices(tuple(spec.sizes[name] for name in atoms))[atoms.index(atom)]
        numbers[part_index(axis, part, spec.sizes)] = grid.reshape(-1)
    return numbers
