"""Two networks in; the order of the second that their settled weights ask for out, whatever its scales and signs.

From the inputs on, each atom is assigned by the directions of what its units read and write, and scales are settled as
soon as they can be. Of two copies of one function this finds which unit is which; of others it is a start.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.merging.matching.directions import match_heads
from wembed.merging.matching.groups import SIGNED, Group
from wembed.merging.matching.settle import settle
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec, apply_action, compose
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of

_MOST_SIGNS = 62  # sites along one atom whose signs are told apart

Matrix = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


def guess(first: Tensors, second: Tensors, spec: SymmetrySpec, groups: Sequence[Group]) -> Action:
    """Each atom by the tensors alone whose other axes are settled, from the inputs on, and scales as soon as they can.

    Heads come with the dimensions under them.
    """
    action, moved = Action({}, {}), second
    parents = {spec.atoms[group.atom].under for group in groups}
    settled: set[str] = set()
    done: set[str] = set()

    def take(step: Action) -> None:
        nonlocal action, moved
        action, moved = compose(step, action, spec), acted(step, spec, moved)

    for group in sorted(groups, key=lambda group: bool(spec.atoms[group.atom].under)):
        if group.atom in settled:
            continue
        if group.atom in parents:
            step = match_heads(first, moved, spec, group.atom, settled)
        else:
            step = _best(first, moved, spec, group, settled)
        settled |= step.permutations.keys()
        take(step)
        gauge, _ = settle(first, moved, spec, settled, done)
        if gauge.scales:
            take(gauge)
    take(settle(first, moved, spec, settled, set())[0])  # now that what writes a site is in order, too
    return action


def _best(first: Tensors, second: Tensors, spec: SymmetrySpec, group: Group, settled: set[str]) -> Action:
    """The permutation of one atom that what is settled asks for; where signs are open, they do not count."""
    size = spec.sizes[group.atom]
    turns = _turns(group.atom, spec)
    squares, products = np.zeros((2, size)), defaultdict[int, Matrix](lambda: np.zeros((size, size)))
    counts = [place.tensor for place in group.places]
    for place in group.places:
        if not place.others <= settled or counts.count(place.tensor) > 1:
            continue
        one, other = (_units(tensors[place.tensor], place.axis, place.positions) for tensors in (first, second))
        one, other = (values / (math.sqrt(float(np.square(values).mean())) or 1.0) for values in (one, other))
        squares += [np.square(one).sum(1), np.square(other).sum(1)]
        kinds = _units(turns[place.tensor], place.axis, place.positions)[0]
        for kind in np.unique(kinds):
            products[int(kind)] += one[:, kinds == kind] @ other[:, kinds == kind].T
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    total = sum((np.abs(found) if kind else found for kind, found in products.items()), np.zeros((size, size)))
    cosines = total / lengths[0][:, None] / lengths[1][None, :]
    return Action({group.atom: linear_sum_assignment(cosines, maximize=True)[1].astype(np.intp)}, {})


def _units(values: NDArray[Number], axis: int, positions: NDArray[np.intp]) -> NDArray[Number]:
    return np.moveaxis(values, axis, 0)[positions].reshape(len(positions), -1)


def _turns(atom: str, spec: SymmetrySpec) -> dict[str, NDArray[np.int64]]:
    """Which of the open signs along an atom every weight changes with: a number for each set of them, 0 for none."""
    sides = Sides.of(spec)
    along = [name for name, site in spec.sites.items() if atom in atoms_of(site.axis) and not site.dual]
    sites = [name for name in along if sides.scale(name) in SIGNED][:_MOST_SIGNS]
    kinds = {name: np.zeros([spec.size_of(axis) for axis in axes], np.int64) for name, axes in spec.tensors.items()}
    for number, site in enumerate(sites):
        action = Action({}, {site: -np.ones(spec.size_of(spec.sites[site].axis))})
        for name, values in apply_action(action, spec, lambda name: np.ones(kinds[name].shape)):
            kinds[name] += (values.astype(np.float64) < 0).astype(np.int64) << number
    return kinds
