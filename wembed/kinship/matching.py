"""Two networks in common scales in; the second with its neurons in the order, and the signs, of the first out."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.kinship.gauge import settle
from wembed.kinship.heads import match_heads
from wembed.kinship.rounding import agree
from wembed.kinship.shared import Matchable, Shared
from wembed.merging.match import Group, compared, free_groups, nearer
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec, apply_action, compose
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of

WIDEST = 4096  # atom that is assigned; of wider ones an assignment takes minutes

_SIGNED = ("sign", "real", "linear", "rotary")
_MOST_SIGNS = 62  # sites along one atom whose signs are told apart

Matrix = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


def aligned(shared: Shared, pair: Matchable, generator: np.random.Generator) -> Tensors:
    """The second network as near to the first as its symmetries bring it: of several ways, the one that equals most.

    Args:
        shared: the two networks.
        pair: the same in common scales.
        generator: the order in which the atoms are gone round.
    """
    return _best_end(shared, pair, [*_in_order(shared, pair), *_shuffled(shared, pair, generator)])


def aligned_in_order(shared: Shared, pair: Matchable) -> Tensors:
    """The same where the neurons of both are known to stand in one order."""
    return _best_end(shared, pair, _in_order(shared, pair))


def _best_end(shared: Shared, pair: Matchable, ends: Iterable[Tensors]) -> Tensors:
    def worth(end: Tensors) -> tuple[int, float]:
        equal = (agree(pair.first[name], end[name], shared.rounding(name)) for name in shared.spec.tensors)
        return sum(equal), _likeness(pair.first, end, shared.spec)

    return max(ends, key=worth)


def _in_order(shared: Shared, pair: Matchable) -> Iterator[Tensors]:
    """The network as it is: as stored, in common scales, in the sizes and signs of the first."""
    yield pair.as_stored
    yield pair.second
    groups = [group.atom for group in free_groups(shared.spec)]
    yield settle(pair.first, pair.second, shared.spec, groups, set())[1]


def _shuffled(shared: Shared, pair: Matchable, generator: np.random.Generator) -> Iterator[Tensors]:
    """The network in the order that is guessed: as stored, rescaled, and improved on."""
    spec, groups = shared.spec, free_groups(shared.spec)
    if groups and max(spec.sizes[group.atom] for group in groups) <= WIDEST:
        guessed = _guess(pair.first, pair.second, spec, groups)
        yield acted(Action(guessed.permutations, {}), spec, pair.as_stored)
        yield acted(guessed, spec, pair.second)
        yield acted(nearer(pair.first, pair.second, guessed, spec, generator), spec, pair.second)


def _guess(first: Tensors, second: Tensors, spec: SymmetrySpec, groups: Sequence[Group]) -> Action:
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
    sites = [name for name in along if sides.scale(name) in _SIGNED][:_MOST_SIGNS]
    kinds = {name: np.zeros([spec.size_of(axis) for axis in axes], np.int64) for name, axes in spec.tensors.items()}
    for number, site in enumerate(sites):
        action = Action({}, {site: -np.ones(spec.size_of(spec.sites[site].axis))})
        for name, values in apply_action(action, spec, lambda name: np.ones(kinds[name].shape)):
            kinds[name] += (values.astype(np.float64) < 0).astype(np.int64) << number
    return kinds


def _likeness(first: Tensors, second: Tensors, spec: SymmetrySpec) -> float:
    """The sum over tensors of their cosines."""
    total = 0.0
    for name in compared(spec):
        size = float(np.linalg.norm(first[name]) * np.linalg.norm(second[name]))
        total += float(np.vdot(first[name], second[name])) / size if size else 0.0
    return total
