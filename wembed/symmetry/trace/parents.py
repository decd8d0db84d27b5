"""Which atoms may be permuted differently for each index of another: a head's dims, a group's channels.

An index of such an atom means something only beside an index of its parent. So wherever the atom stands, its parent
must stand exactly once: in every tensor, in every value, and in the space that an operator sums over. And where
indices of the parent meet, in a softmax over heads say, the atom must not stand aside.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from wembed.symmetry.axes import Axis, Product, atoms_of, part_atoms, part_count, parts_of

Places = tuple[Axis, ...]
_MOST_PARTS = 256  # of one axis; with more, the atoms in it have no parents


@dataclass(frozen=True)
class Evidence:
    """Where atoms stand.

    Args:
        tensors: axes of every tensor.
        spaces: axes of every value, and of every operator's whole range of indices.
        mixes: axes along which indices meet or move, and the others of that value.
        indices: axes that entries are indices of.
    """

    tensors: frozenset[Places]
    spaces: frozenset[Places]
    mixes: frozenset[tuple[Places, Places]]
    indices: frozenset[Axis]


def parents_of(free: Iterable[str], sizes: Mapping[str, int], evidence: Evidence) -> dict[str, str]:
    """Atom -> its parent, for all free atoms that have one; of several the largest, and none has a parent itself.

    Args:
        free: atoms, in order.
        sizes: of all atoms.
        evidence: where they stand.
    """
    barred = {atom for axis in evidence.indices for atom in atoms_of(axis)}
    by_atom = _by_atom(evidence.tensors | evidence.spaces)
    parents: dict[str, str] = {}
    for atom in free:
        if atom in barred or atom in parents.values():
            continue
        candidates = _beside(atom, by_atom[atom]) - parents.keys()
        fitting = [name for name in sorted(candidates) if not _is_mixed(atom, name, evidence.mixes)]
        if fitting:
            parents[atom] = max(fitting, key=lambda name: sizes[name])
    return parents


def _by_atom(places: Iterable[Places]) -> dict[str, list[Places]]:
    found: dict[str, list[Places]] = {}
    for axes in places:
        for atom in {atom for axis in axes for atom in atoms_of(axis)}:
            found.setdefault(atom, []).append(axes)
    return found


def _beside(atom: str, places: Iterable[Places]) -> set[str]:
    """The atoms that stand exactly once wherever an atom stands."""
    found: set[str] | None = None
    for axes in sorted(places, key=len):
        here = _once_beside(atom, axes)
        found = here if found is None else found & here
        if not found:
            return set()
    return found or set()


def _once_beside(atom: str, axes: Places) -> set[str]:
    found: set[str] | None = None
    for number, axis in enumerate(axes):
        others = [_constant_counts(other) for place, other in enumerate(axes) if place != number]
        for inside in _counts(axis):
            if inside[atom]:
                total = inside + sum(others, Counter())
                varying = {name for place, other in enumerate(axes) if place != number for name in _varying(other)}
                here = {name for name, count in total.items() if count == 1 and name not in varying} - {atom}
                found = here if found is None else found & here
    return found or set()


def stand_once(wanted: Places, axes: Places) -> bool:
    """Whether every factor of some axes stands, whole, exactly once among the factors of others."""
    factors = [factor for axis in axes for factor in _factors(axis)]
    inside = Counter(name for axis in axes for name in atoms_of(axis))
    own = Counter(name for axis in wanted for name in atoms_of(axis))
    return all(factors.count(factor) == 1 for axis in wanted for factor in _factors(axis)) and all(
        inside[name] == count for name, count in own.items()
    )


def _factors(axis: Axis) -> tuple[Axis, ...]:
    return axis.factors if isinstance(axis, Product) else (axis,)


@cache
def _counts(axis: Axis) -> tuple[Counter[str], ...]:
    """How often each atom stands in each part of an axis."""
    if part_count(axis) > _MOST_PARTS:
        doubled = Counter(dict.fromkeys(atoms_of(axis), 2))
        return (doubled,)
    return tuple(Counter(part_atoms(axis, part)) for part in parts_of(axis))


def _constant_counts(axis: Axis) -> Counter[str]:
    first, *others = _counts(axis)
    return Counter({name: count for name, count in first.items() if all(part[name] == count for part in others)})


def _varying(axis: Axis) -> set[str]:
    """The atoms that stand in some parts of an axis more often than in others."""
    return set(atoms_of(axis)) - set(_constant_counts(axis))


def _is_mixed(atom: str, parent: str, mixes: Iterable[tuple[Places, Places]]) -> bool:
    """Whether indices of the parent meet where the atom stands aside."""
    return any(
        parent in _all(mixed) and atom in _all(kept) and not _together(atom, parent, mixed) for mixed, kept in mixes
    )


def _all(axes: Places) -> set[str]:
    return {name for axis in axes for name in atoms_of(axis)}


def _together(atom: str, parent: str, axes: Places) -> bool:
    return atom in _all(axes) and parent in _all(axes)
