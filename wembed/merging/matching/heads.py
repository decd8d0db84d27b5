"""Heads, and what lies under them: which head of the second network is which of the first, and each one's dimensions.

Two heads are as alike as the best assignment of their dimensions makes them, so that the order that dimensions have in
the files plays no part: for every pair of heads the dimensions are assigned first, then the heads.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.merging.matching.assign import Matrix, likeness
from wembed.merging.matching.groups import SIGNED, Group, compared, pair_positions, turned_along
from wembed.merging.matching.moving import Fixed, Moving, Rows, products
from wembed.symmetry import Action, SymmetrySpec
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of, part_atoms, parts_of


@dataclass(frozen=True)
class _Below:
    """An atom under another along an axis of a tensor.

    Args:
        tensor: its name.
        axis: its number.
        positions: where it stands, [heads, n, m].
        turns: for each of the m the set of signs that it changes with, as bits, [m].
        alone: whether no other free atom under the same head stands on the axis.
    """

    tensor: str
    axis: int
    positions: NDArray[np.intp]
    turns: NDArray[np.intp]
    alone: bool


def best_heads(fixed: Fixed, moving: Moving, group: Group) -> Action:
    """The permutation of heads, of what lies under them, and the signs of both, that make the networks most alike."""
    found = {atom: below_places(fixed.spec, group.atom, atom) for atom in group.below}
    below = {atom: _alone_first(places) for atom, places in found.items() if places}
    inside = {(place.tensor, place.axis) for places in below.values() for place in places}
    outside = [place for place in group.places if (place.tensor, place.axis) not in inside]
    total = likeness(products(fixed, moving, group, outside)).values
    every = list(np.ndindex(total.shape))
    inner = {atom: _pairs(fixed, moving, places, every) for atom, places in below.items()}
    for pairs in inner.values():
        total = total + pairs.values
    order = linear_sum_assignment(total, maximize=True)[1].astype(np.intp)
    return Action({group.atom: order}, {}) if not inner else _chosen(fixed.spec, group, order, inner)


def best_below(fixed: Fixed, moving: Moving, head: str, atom: str) -> Action:
    """The permutations of one atom under a head, and their signs, each head staying where it is."""
    places = below_places(fixed.spec, head, atom)
    if not places:
        return Action({}, {})
    heads = np.arange(fixed.spec.sizes[head], dtype=np.intp)
    found = _pairs(fixed, moving, places, zip(heads, heads, strict=True))
    return _chosen(fixed.spec, Group(head, (), (), (atom,)), heads, {atom: found})


@dataclass(frozen=True)
class _Pairs:
    """The best assignment of what lies under every pair of heads.

    Args:
        values: how alike it makes them, [heads, heads].
        index: new = old[index], [heads, heads, n].
        flips: signs to turn by old index, as bits, of the same shape.
    """

    values: Matrix
    index: NDArray[np.intp]
    flips: NDArray[np.intp]


def _pairs(fixed: Fixed, moving: Moving, places: Sequence[_Below], pairs: Iterable[tuple[int, int]]) -> _Pairs:
    """The best assignments under some pairs of heads."""
    heads, size = places[0].positions.shape[:2]
    values = np.full((heads, heads), -np.inf)
    index, flips = (np.zeros((heads, heads, size), dtype=np.intp) for _ in range(2))
    rows = [_rows(fixed.tensors[place.tensor], place) for place in places]
    others = [_rows(moving.tensor(place.tensor), place) for place in places]
    for one, other in pairs:
        found: dict[int, Matrix] = defaultdict(lambda: np.zeros((size, size)))
        for own, their in zip(rows, others, strict=True):
            for kind, part in own.items():
                found[kind] += part[one] @ their[kind][other].T
        alike = likeness(found)
        index[one, other] = linear_sum_assignment(alike.values, maximize=True)[1]
        picked = np.arange(size), index[one, other]
        values[one, other] = alike.values[picked].sum()
        if alike.flips is not None:
            flips[one, other, index[one, other]] = alike.flips[picked]
    return _Pairs(values, index, flips)


def _chosen(spec: SymmetrySpec, group: Group, order: NDArray[np.intp], inner: dict[str, _Pairs]) -> Action:
    """An action from the order of heads, and for each pair of heads what lies under them."""
    new = np.argsort(order)  # of each of the second network's heads the place that it comes to
    heads = np.arange(len(order))
    permutations = {group.atom: order}
    scales: dict[str, NDArray[np.float64]] = {}
    for atom, found in inner.items():
        permutations[atom] = found.index[new, heads]
        flips = found.flips[new, heads]  # [heads, n], by old index
        for bit, site in enumerate(_signed_sites(spec, group.atom, atom)):
            if (flips >> bit & 1).any():
                signs = 1.0 - 2.0 * (flips >> bit & 1).astype(np.float64)
                is_turned = tuple(atoms_of(spec.sites[site].axis)) != (group.atom, atom)
                scales[site] = (signs.T if is_turned else signs).reshape(-1)
    return Action(permutations, scales)


def _rows(values: Rows, place: _Below) -> dict[int, Rows]:
    """Set of signs -> what stands under each head, [heads, n, m]."""
    moved = np.moveaxis(values, place.axis, 0)
    heads, size = place.positions.shape[:2]
    kinds = np.unique(place.turns)
    return {int(kind): moved[place.positions[..., place.turns == kind]].reshape(heads, size, -1) for kind in kinds}


def _alone_first(places: Sequence[_Below]) -> Sequence[_Below]:
    """The places that depend on no other assignment under the same head, if there are any; else all."""
    return [place for place in places if place.alone] or places


def below_places(spec: SymmetrySpec, head: str, atom: str) -> list[_Below]:
    """Where an atom stands beside the one that it is under, on one axis."""
    sites = _signed_sites(spec, head, atom)
    turned = [turned_along(spec, atom, (site,)) for site in sites]
    siblings = {a.name for a in spec.atoms.values() if a.under == head and not a.frozen} - {atom}
    found = []
    for name in compared(spec):
        for number, axis in enumerate(spec.tensors[name]):
            if any({head, atom} <= set(part_atoms(axis, part)) for part in parts_of(axis)):
                positions = pair_positions(axis, (head, atom), spec.sizes)
                turns = np.zeros(positions.shape[2], dtype=np.intp)
                for bit, flips in enumerate(turned):
                    if (name, number) in flips:
                        turns |= flips[name, number][positions[0, 0]].astype(np.intp) << bit
                found.append(_Below(name, number, positions, turns, not siblings & set(atoms_of(axis))))
    return found


def _signed_sites(spec: SymmetrySpec, head: str, atom: str) -> list[str]:
    """The sites along heads and what lies under them whose signs are open."""
    sides = Sides.of(spec)
    own = [site.name for site in spec.sites.values() if set(atoms_of(site.axis)) == {head, atom} and not site.dual]
    return [site for site in own if sides.scale(site) in SIGNED][:4]
