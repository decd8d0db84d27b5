"""Coordinate descent: two networks in; the second moved until no atom's assignment brings it nearer.

The best permutation of one free atom, all others held still, is a linear assignment (Ainsworth et al., 2022). Going
round the atoms never increases the distance: where a tensor holds an atom on two axes, an assignment only guesses, and
the step is taken back if the guess was wrong. An atom is looked at again only if one beside it has moved.
"""

from collections.abc import Sequence

import numpy as np

from wembed.merging.matching.assign import assigned, likeness
from wembed.merging.matching.groups import Group
from wembed.merging.matching.heads import best_below, best_heads
from wembed.merging.matching.moving import Fixed, Moving, inner, products
from wembed.symmetry import Action, SymmetrySpec

_MAX_ROUNDS = 50
_ROUNDS_OF_LARGE = 3  # where every assignment reads a large part of the files


def descend(fixed: Fixed, moving: Moving, groups: Sequence[Group], generator: np.random.Generator, least: float) -> int:
    """Go round the atoms in random order until none gains anything; the number of assignments that were made.

    Args:
        fixed: stays.
        moving: is moved.
        groups: the free atoms.
        generator: of the order.
        least: a gain in inner product below which it is rounding.
    """
    open_ones, count = set(range(len(groups))), 0
    beside = [{number for number, other in enumerate(groups) if other.atom in group.near} for group in groups]
    for _ in range(_MAX_ROUNDS if fixed.is_held else _ROUNDS_OF_LARGE):
        for number in generator.permutation(len(groups)).tolist():
            if number in open_ones:
                open_ones.remove(number)
                count += 1
                if _step(fixed, moving, groups[number], least):
                    open_ones |= beside[number]
        if not open_ones:
            break
    return count


def follow(fixed: Fixed, moving: Moving, groups: Sequence[Group]) -> None:
    """A first guess: each atom by the tensors alone whose other axes are settled, from the inputs on."""
    open_atoms = {group.atom for group in groups}
    for group in groups:
        tensors = [place.tensor for place in group.places]
        settled = [
            place for place in group.places if not place.others & open_atoms and tensors.count(place.tensor) == 1
        ]
        if _parent(fixed.spec, group) or group.below:
            _step(fixed, moving, group, 0.0)
        else:
            moving.take(group, assigned(likeness(products(fixed, moving, group, settled))))
        open_atoms.remove(group.atom)


def _step(fixed: Fixed, moving: Moving, group: Group, least: float) -> bool:
    """Make one atom's best assignment, if it gains more than rounding does."""
    parent = _parent(fixed.spec, group)
    if parent:
        return _take_if_nearer(fixed, moving, group, best_below(fixed, moving, parent, group.atom), least)
    if group.below:
        return _take_if_nearer(fixed, moving, group, best_heads(fixed, moving, group), least)
    step = assigned(likeness(products(fixed, moving, group, group.places)))
    if step.gain <= least:
        return False
    if group.stands_twice:
        return _take_if_nearer(fixed, moving, group, step.action(group), least)
    moving.take(group, step)
    return True


def _take_if_nearer(fixed: Fixed, moving: Moving, group: Group, action: Action, least: float) -> bool:
    names = group.tensors
    before, tried = inner(fixed, moving, names), moving.copy()
    tried.take_apart(names, action)
    if inner(fixed, tried, names) <= before + least:
        return False
    moving.become(tried)
    return True


def _parent(spec: SymmetrySpec, group: Group) -> str:
    return spec.atoms[group.atom].under
