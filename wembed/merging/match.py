"""Weight matching: two networks in common scales in; the permutations and signs that bring the second nearest out.

The idea of Git Re-Basin (Ainsworth et al., 2022), written on a spec and not on an architecture: the best permutation of
one free atom, all others held still, is a linear assignment; going round the atoms until nothing improves never
increases the distance. Where a site lets signs through, a pair of units is as alike as its similarity's absolute value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec, apply_action, compose
from wembed.symmetry.axes import Axis, atoms_of, spread

_RANDOM_STARTS = 16
_MAX_ROUNDS = 50
_SAME = 1e-9  # ends whose similarities differ by a smaller share are one
_TOLERANCE = 1e-12  # of the two networks' own size: a gain below it is rounding
_STATISTICS = ("running_mean", "running_var")  # of the data, not of the function that was learned


@dataclass(frozen=True)
class _Place:
    """Where an atom stands: positions [n, m] along an axis of a tensor; `turns` where its units' signs show."""

    tensor: str
    axis: int
    positions: NDArray[np.intp]
    others: frozenset[str]
    turns: bool


@dataclass(frozen=True)
class Group:
    """A free atom, the places where it stands, and the sites that a change of its units' signs goes through."""

    atom: str
    places: tuple[_Place, ...]
    sites: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """A way to bring the second network nearer: the action, its tensors, and their similarity to the first's."""

    action: Action
    tensors: Tensors
    similarity: float


def match(first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator) -> Action:
    """The permutations and signs of `second` that bring it nearest to `first`, of several starts.

    Args:
        first: the tensors of the spec, float64, in common scales.
        second: the same for the network that moves.
        spec: of both.
        generator: draws the starts but the first, and the order of the atoms.
    """
    return matches(first, second, spec, generator)[0]


def matches(first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator) -> list[Action]:
    """The different ends that the starts of `match` lead to, the nearest first."""
    groups = free_groups(spec)
    guess = _flow_order(first, _Found(Action({}, {}), second, 0.0), spec, groups)
    starts = [guess]
    for _ in range(_RANDOM_STARTS if len(groups) > 1 else 0):
        # Shuffling the guess, and not the file's order, leads to one end whatever order the file has.
        shuffle = Action({group.atom: generator.permutation(spec.sizes[group.atom]) for group in groups}, {})
        starts.append(_moved(first, guess, shuffle, spec))
    ends = [_descend(first, start, spec, groups, generator) for start in starts]
    apart: list[_Found] = []
    for end in sorted(ends, key=lambda end: -end.similarity):
        if not apart or end.similarity < apart[-1].similarity * (1 - _SAME):
            apart.append(end)
    return [end.action for end in apart]


def nearer(
    first: Tensors, second: Tensors, action: Action, spec: SymmetrySpec, generator: np.random.Generator
) -> Action:
    """Where going round the atoms leads from a given action on `second`."""
    start = _moved(first, _Found(Action({}, {}), second, 0.0), action, spec)
    return _descend(first, start, spec, free_groups(spec), generator).action


def compared(spec: SymmetrySpec) -> list[str]:
    """The tensors that matching compares: all but running statistics."""
    left_out = {layer.tensors[role] for layer in spec.layers for role in _STATISTICS if role in layer.tensors}
    return [name for name in spec.tensors if name not in left_out]


def distance(first: Tensors, second: Tensors, spec: SymmetrySpec) -> float:
    """The squared distance of two networks over the tensors that matching compares."""
    return float(sum(np.square(first[name] - second[name]).sum() for name in compared(spec)))


def _descend(
    first: Tensors, found: _Found, spec: SymmetrySpec, groups: Sequence[Group], generator: np.random.Generator
) -> _Found:
    """Go round the atoms in random order until a whole round gains nothing."""
    least = _TOLERANCE * sum(float(np.square(first[name]).sum()) for name in compared(spec))
    for _ in range(_MAX_ROUNDS):
        before = found.similarity
        for index in generator.permutation(len(groups)):
            step = _best_step(first, found.tensors, groups[index], groups[index].places)
            found = _moved(first, found, step, spec)
        if found.similarity <= before + least:
            break
    return found


def _flow_order(first: Tensors, found: _Found, spec: SymmetrySpec, groups: Sequence[Group]) -> _Found:
    """A first guess: each atom by the tensors alone whose other axes are settled, from the inputs on."""
    open_atoms = {group.atom for group in groups}
    for group in groups:
        settled = [place for place in group.places if not place.others & open_atoms]
        found = _moved(first, found, _best_step(first, found.tensors, group, settled), spec)
        open_atoms.remove(group.atom)
    return found


def _moved(first: Tensors, found: _Found, step: Action, spec: SymmetrySpec) -> _Found:
    values = acted(step, spec, found.tensors)
    similarity = float(sum(np.vdot(first[name], values[name]) for name in compared(spec)))
    return _Found(compose(step, found.action, spec), values, similarity)


def _best_step(first: Tensors, second: Tensors, group: Group, places: Sequence[_Place]) -> Action:
    """The permutation of one atom, and the signs of its units, that the given places ask for."""
    size = len(group.places[0].positions)
    signed = _similarity(first, second, [place for place in places if place.turns], size)
    plain = _similarity(first, second, [place for place in places if not place.turns], size)
    return assignment(group, signed, plain)


def assignment(group: Group, signed: NDArray[np.float64], plain: NDArray[np.float64]) -> Action:
    """The permutation and the signs of one atom's units that make them most alike.

    Args:
        group: the atom.
        signed: how alike the first network's units [n] are to the second's [n], negative where a sign would help.
        plain: the same for what no sign changes.
    """
    index = linear_sum_assignment(np.abs(signed) + plain, maximize=True)[1].astype(np.intp)
    signs = np.ones(len(index))
    signs[index] = np.where(signed[np.arange(len(index)), index] < 0, -1.0, 1.0)  # by old index
    return Action({group.atom: index}, dict.fromkeys(group.sites, signs))


def _similarity(first: Tensors, second: Tensors, places: Sequence[_Place], size: int) -> NDArray[np.float64]:
    """The inner products [n, n] of the two networks' units, contracted over all that is not the atom."""
    products = (_units(first, place) @ _units(second, place).T for place in places)
    return reduce(np.add, products, np.zeros((size, size)))


def _units(tensors: Tensors, place: _Place) -> NDArray[np.float64]:
    values = np.moveaxis(tensors[place.tensor], place.axis, 0)[place.positions]  # [n, m, ...]
    return values.reshape(len(place.positions), -1)


def free_groups(spec: SymmetrySpec) -> list[Group]:
    """The atoms of a spec that may be permuted, in its order."""
    return [_group(spec, atom.name) for atom in spec.atoms.values() if not atom.frozen and _stands(spec, atom.name)]


def _stands(spec: SymmetrySpec, atom: str) -> bool:
    return any(atom in atoms_of(axis) for name in compared(spec) for axis in spec.tensors[name])


def _group(spec: SymmetrySpec, atom: str) -> Group:
    sites = _sites_with_signs(spec, atom)
    turning = _turning(spec, atom, sites)
    places = []
    for name in compared(spec):
        axes = spec.tensors[name]
        free = {part for axis in axes for part in atoms_of(axis) if not spec.atoms[part].frozen}
        for number, axis in enumerate(axes):
            if atom in atoms_of(axis):
                positions = positions_of(axis, atom, spec.sizes)
                places.append(_Place(name, number, positions, frozenset(free - {atom}), name in turning))
    return Group(atom, tuple(places), sites)


def positions_of(axis: Axis, atom: str, sizes: Mapping[str, int]) -> NDArray[np.intp]:
    """Where along an axis each index of one of its atoms stands, [n, m]."""
    marks = spread(axis, atom, np.arange(2.0, sizes[atom] + 2.0), sizes)  # 1 where the atom is not
    order = np.argsort(marks, kind="stable")
    return order[int((marks == 1.0).sum()) :].reshape(sizes[atom], -1)


def _sites_with_signs(spec: SymmetrySpec, atom: str) -> tuple[str, ...]:
    """The sites along an atom, if its units' signs may change: all of them together, so that no norm's gain does."""
    sites = [site for site in spec.sites.values() if atom in atoms_of(site.axis)]
    allowed = all(site.axis == atom and site.scale in ("sign", "real") for site in sites)
    return tuple(site.name for site in sites) if allowed else ()


def _turning(spec: SymmetrySpec, atom: str, sites: Sequence[str]) -> set[str]:
    """The tensors that change when a unit's sign does: what such a change makes of ones."""
    action = Action({}, dict.fromkeys(sites, -np.ones(spec.sizes[atom])))
    return {name for name, values in _acting_on_ones(action, spec) if values.size and values.min() < 0}


def _acting_on_ones(action: Action, spec: SymmetrySpec) -> Iterator[tuple[str, NDArray[np.generic]]]:
    def ones(name: str) -> NDArray[np.float64]:
        return np.ones([spec.size_of(axis) for axis in spec.tensors[name]])

    return apply_action(action, spec, ones)
