"""Weight matching: two networks in common scales in; what brings the second nearest to the first, and how near, out.

The search is coordinate descent from several starts: what the inputs' weights ask for, what directions of weights ask
where the network is no plain chain, any start that is given, and then shuffles of part of the best end
so far, as long as they pay.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wembed.merging.matching.assign import Step, assigned_as, likeness
from wembed.merging.matching.descent import descend, follow
from wembed.merging.matching.groups import Group, compared, free_groups, is_chain, positions_of
from wembed.merging.matching.moving import Fixed, Moving, products
from wembed.merging.matching.signatures import guess
from wembed.merging.tensors import Tensors
from wembed.symmetry import Action, SymmetrySpec, invert

__all__ = [
    "Group",
    "Matching",
    "are_one",
    "compared",
    "distance",
    "free_groups",
    "match",
    "matches",
    "matching",
    "positions_of",
    "refined",
]

_SHUFFLES = 24  # of the best end, at most
_FRUITLESS = 7  # shuffles in a row after which there are no more
_SHARE = 0.3  # of an atom's units, shuffled
_SAME = 1e-9  # ends whose costs differ by a smaller share of the networks' size are one, as are networks this near
_TOLERANCE = 1e-12  # of the first network's size: a gain below it is rounding


@dataclass(frozen=True)
class Matching:
    """What brings the second of two networks nearest to the first that was found.

    Args:
        action: on the second, in common scales.
        iterations: assignments that were made.
        cost_before: the squared distance of the two, over the tensors that matching compares.
        cost_after: the same after the action.
        seconds: of this process's time.
    """

    action: Action
    iterations: int
    cost_before: float
    cost_after: float
    seconds: float


@dataclass(frozen=True)
class _End:
    """Where a descent ended: the squared distance that is left, and the assignments that it took."""

    moving: Moving
    cost: float
    count: int


class _Search:
    """Descents from several starts of one network towards the other.

    The longer one stays, whichever is asked for, so that the order of the two does not matter. What is drawn goes by
    units' lengths, so that the order and the signs of units do not matter either, in chains and recurrent networks.
    Where layers share a stream or heads, another order or other scales of the files can lead to another end.

    Args:
        first: a network.
        second: another.
        spec: of both.
        generator: of the orders and the shuffles.
    """

    def __init__(self, first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator) -> None:
        fixed, other = Fixed(first, spec), Fixed(second, spec)
        self.is_turned = other.square() > fixed.square()
        self.given = first, second
        self.fixed, self.mover = (other, first) if self.is_turned else (fixed, second)
        self.spec, self.generator, self.groups = spec, generator, free_groups(spec)
        self.size = self.fixed.square()

    def ends(self, start: Action | None) -> list[_End]:
        """The ends of all descents, in the order in which they were made."""
        starts = [] if start is None else [self._from(start)]
        if not starts or not is_chain(self.spec):
            starts += self._guesses()
        found = [self._descended(moving) for moving in starts]
        best, fruitless = min(found, key=lambda end: end.cost), 0
        for _ in range(_SHUFFLES if self._can_shuffle() else 0):
            if fruitless == _FRUITLESS or best.cost <= _SAME * self.size:
                break
            found.append(self._descended(self._shuffled(best.moving)))
            is_better = found[-1].cost < best.cost - _SAME * self.size
            best, fruitless = (found[-1], 0) if is_better else (best, fruitless + 1)
        return found

    def refined(self, start: Action) -> _End:
        """The end of the descent from one start."""
        return self._descended(self._from(start))

    def _guesses(self) -> Iterator[Moving]:
        moving = self._at(None)
        follow(self.fixed, moving, self.groups)
        yield moving
        if self.fixed.is_held and not is_chain(self.spec):
            yield self._at(guess(self.fixed.tensors, self.mover, self.spec, self.groups))

    def action(self, end: _End) -> Action:
        """What an end does to the second network."""
        return invert(end.moving.action, self.spec) if self.is_turned else end.moving.action

    def _from(self, start: Action) -> Moving:
        return self._at(invert(start, self.spec) if self.is_turned else start)

    def _at(self, start: Action | None) -> Moving:
        return Moving(self.mover, self.spec, start)

    def _descended(self, moving: Moving) -> _End:
        count = descend(self.fixed, moving, self.groups, self.generator, _TOLERANCE * self.size)
        return _End(moving, moving.distance(self.fixed), count)

    def _can_shuffle(self) -> bool:
        return self.fixed.is_held and len(self.groups) > 1

    def _shuffled(self, moving: Moving) -> Moving:
        moved = moving.copy()
        for group in self.groups:
            if not self.spec.atoms[group.atom].under:
                size = self.spec.sizes[group.atom]
                index = np.arange(size, dtype=np.intp)
                by_length = np.argsort(self.fixed.lengths(group), kind="stable")
                chosen = by_length[self.generator.permutation(size)[: max(2, int(_SHARE * size))]]
                index[chosen] = index[self.generator.permutation(chosen)]
                # Signs go by the units that come together: those of the files say nothing.
                alike = likeness(products(self.fixed, moved, group, group.places)) if group.signs else None
                moved.take(group, assigned_as(alike, index) if alike else Step(index, None, 0.0))
        return moved


def matching(
    first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator, start: Action | None = None
) -> Matching:
    """What brings `second` nearest to `first`, of several starts.

    Args:
        first: the tensors of the spec, in common scales; of large networks a mapping that reads them.
        second: the same for the network that moves.
        spec: of both.
        generator: draws the shuffles, and the order of the atoms.
        start: where to start; of a plain chain the only guess.
    """
    began, search = time.process_time(), _Search(first, second, spec, generator)
    ends = search.ends(start)
    best = min(ends, key=lambda end: end.cost)
    return _stated(search, best, sum(end.count for end in ends), began)


def refined(
    first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator, start: Action
) -> Matching:
    """Where going round the atoms leads from a given action on `second`."""
    began, search = time.process_time(), _Search(first, second, spec, generator)
    end = search.refined(start)
    return _stated(search, end, end.count, began)


def _stated(search: _Search, end: _End, count: int, began: float) -> Matching:
    action, before = search.action(end), distance(*search.given, search.spec)
    # How far two networks are apart depends on whose scales the other one was brought to.
    first, second = search.given
    after = Moving(second, search.spec, action).distance(Fixed(first, search.spec))
    return Matching(action, count, before, after, time.process_time() - began)


def match(first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator) -> Action:
    """The action of `matching`."""
    return matching(first, second, spec, generator).action


def matches(
    first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator, start: Action | None = None
) -> list[Matching]:
    """The different ends that the starts of `matching` lead to, the nearest first."""
    began, search = time.process_time(), _Search(first, second, spec, generator)
    apart: list[_End] = []
    for end in sorted(search.ends(start), key=lambda end: end.cost):
        if not apart or end.cost > apart[-1].cost + _SAME * search.size:
            apart.append(end)
    return [_stated(search, end, end.count, began) for end in apart]


def are_one(first: Tensors, second: Tensors, spec: SymmetrySpec) -> bool:
    """Whether two networks differ by no more than rounding in the tensors that matching compares."""
    fixed = Fixed(first, spec)
    return Moving(second, spec).distance(fixed) <= _SAME * fixed.square()


def distance(first: Tensors, second: Tensors, spec: SymmetrySpec) -> float:
    """The squared distance of two networks over the tensors that matching compares."""
    return Moving(second, spec).distance(Fixed(first, spec))
