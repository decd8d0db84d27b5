"""Two networks in; how likely it is that unrelated ones have their neurons as much in one order as these, out.

Neurons of one layer are interchangeable before training and stay so: of two networks that were made independently, one
may have its neurons in any order, all equally likely. So the likeness of neurons at equal places is compared with that
after random reorderings, which is an exact test (Zhu et al., 2025, test models for independence in this way). Each
tensor is evidence about the last of its atoms, given the order of the others; the p-values of the atoms are then
independent, and Fisher's method joins them. Where it is not proven which axes are neurons, a tensor's p-value is the
larger of those of its axes, right if one of these holds neurons, and Cauchy's method joins what may depend on each
other (Liu and Xie, 2020).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.kinship.shared import Shared, Values
from wembed.merging.matching.groups import Group, compared, free_groups

REORDERINGS = 9_999
_ENOUGH = 50  # reorderings that are as alike as the given order: not one of many that are
_FEWEST_NEURONS = 4  # 24 orders
_FEWEST_UNPROVEN = 8  # along an axis of which it is not known what it holds
_MOST_NEURONS = 512  # of an atom, drawn at random
_MOST_WEIGHTS = 4096  # of a neuron in one tensor, drawn at random
_DRAWN_TOGETHER = 1 << 22  # indices

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class OrderTest:
    """What the order of the neurons says.

    Args:
        p_value: exact, of the networks being independent.
        groups: how many atoms, or axes where they are not proven, it rests on.
        is_proven: whether the spec proves that these hold neurons.
    """

    p_value: float
    groups: int
    is_proven: bool


def order_test(shared: Shared, left_out: frozenset[str], generator: np.random.Generator) -> OrderTest | None:
    """The order test of two networks; None where nothing in them could stand in another order.

    Args:
        shared: the two networks.
        left_out: tensors that were set: the neurons beside them have an order that was set, too.
        generator: draws the reorderings.
    """
    names = [name for name in compared(shared.spec) if name in shared.names and name not in left_out]
    groups = [group for group in free_groups(shared.spec) if shared.spec.sizes[group.atom] >= _FEWEST_NEURONS]
    loose = [group for group in groups if not any(place.tensor in left_out for place in group.places)]
    found = [p for group in loose if (p := _of_group(shared, group, groups, names, generator)) is not None]
    if found:
        return OrderTest(_fisher(found), len(found), is_proven=True)
    if shared.spec.tier != "inferred":
        return None
    found = list(_unproven(shared, names, generator))
    return OrderTest(_cauchy(found), len(found), is_proven=False) if found else None


def _of_group(
    shared: Shared, group: Group, groups: Sequence[Group], names: Sequence[str], generator: np.random.Generator
) -> float | None:
    later = {other.atom for other in groups[groups.index(group) + 1 :]}
    counts = [place.tensor for place in group.places]
    places = [
        place
        for place in group.places
        if place.tensor in names and counts.count(place.tensor) == 1 and not place.others & later
    ]
    alike = _Alike(min(len(group.places[0].positions), _MOST_NEURONS), generator)
    chosen = generator.permutation(len(group.places[0].positions))[: alike.size]
    for place in places:
        one, other = (_units(read(place.tensor), place.axis)[place.positions[chosen]] for read in _reads(shared))
        alike.add(one.reshape(alike.size, -1), other.reshape(alike.size, -1))
    return _p_value(alike.matrix(), generator) if alike.has_evidence else None


def _unproven(shared: Shared, names: Sequence[str], generator: np.random.Generator) -> Iterator[float]:
    """A p-value for each weight that has two axes long enough; none if it is the only one, from inputs to outputs."""
    weights = [name for name in names if len(shared.spec.tensors[name]) > 1]
    for name in weights if len(weights) > 1 else ():
        one, other = (read(name) for read in _reads(shared))
        if np.array_equal(one, other):
            continue  # it may be fixed
        axes = [axis for axis, size in enumerate(one.shape[:2]) if size >= _FEWEST_UNPROVEN]
        if len(axes) == 2:
            yield max(_of_axis(_units(one, axis), _units(other, axis), generator) for axis in axes)


def _of_axis(one: Values, other: Values, generator: np.random.Generator) -> float:
    size = min(len(one), _MOST_NEURONS)
    chosen = generator.permutation(len(one))[:size]
    alike = _Alike(size, generator)
    alike.add(one[chosen].reshape(size, -1), other[chosen].reshape(size, -1))
    return _p_value(alike.matrix(), generator) if alike.has_evidence else 1.0


def _reads(shared: Shared) -> tuple[Callable[[str], Values], Callable[[str], Values]]:
    if shared.matchable:
        return shared.matchable.first.__getitem__, shared.matchable.second.__getitem__
    return shared.first, shared.second


def _units(values: Values, axis: int) -> Values:
    return np.moveaxis(values, axis, 0)


class _Alike:
    """How alike the neurons of two networks are, added up over tensors, each of which counts by its entries.

    Args:
        size: number of neurons.
        generator: draws the weights that are looked at where there are many.
    """

    def __init__(self, size: int, generator: np.random.Generator) -> None:
        self.size = size
        self.has_evidence = False
        self._generator = generator
        self._products = np.zeros((size, size))
        self._squares = np.zeros((2, size))

    def add(self, one: Values, other: Values) -> None:
        """Take in what a tensor says of the neurons of both, [size, m]; what all neurons share is taken off."""
        if one.shape[1] > _MOST_WEIGHTS:
            chosen = self._generator.permutation(one.shape[1])[:_MOST_WEIGHTS]
            one, other = one[:, chosen], other[:, chosen]
        rows = [_standardised(values) for values in (one, other)]
        if all(row is not None for row in rows):
            first, second = (np.asarray(row) for row in rows)
            self.has_evidence = True
            self._products += first @ second.T
            self._squares += [np.square(first).sum(1), np.square(second).sum(1)]

    def matrix(self) -> Matrix:
        """The cosines [size, size] of the first's neurons and the second's."""
        norms = np.sqrt(self._squares)
        norms = np.maximum(norms, 0.1 * norms.mean(1, keepdims=True))  # what is next to nothing points nowhere
        return np.asarray(self._products / norms[0][:, None] / norms[1][None, :])


def _standardised(values: Values) -> Matrix | None:
    centred = values.astype(np.float64) - values.mean(0, keepdims=True, dtype=np.float64)
    size = math.sqrt(float(np.square(centred).mean()))
    return centred / size if size > 0 else None


def _p_value(alike: Matrix, generator: np.random.Generator) -> float:
    """The share of orders, the given one counted, in which neurons at equal places are as alike: exact.

    Drawing ends early where many are, which keeps it so (Besag and Clifford, 1991).
    """
    size, places = len(alike), np.arange(len(alike))
    least = float(np.trace(alike)) - 1e-9 * float(np.abs(np.diag(alike)).sum())
    as_alike = drawn = 0
    while drawn < REORDERINGS:
        count = min(max(_ENOUGH, drawn), REORDERINGS - drawn, max(1, _DRAWN_TOGETHER // size))
        orders = generator.permuted(np.tile(places, (count, 1)), axis=1)
        hits = np.flatnonzero(alike[places, orders].sum(1) >= least)
        if as_alike + len(hits) >= _ENOUGH:
            return _ENOUGH / (drawn + 1 + int(hits[_ENOUGH - as_alike - 1]))
        as_alike += len(hits)
        drawn += count
    return (1 + as_alike) / (1 + REORDERINGS)


def _fisher(p_values: Sequence[float]) -> float:
    from scipy.special import gammaincc  # a tenth of a second that reading a table does without

    return float(gammaincc(len(p_values), -sum(map(math.log, p_values))))


def _cauchy(p_values: Sequence[float]) -> float:
    mean = sum(math.tan((0.5 - min(p, 1 - 1e-9)) * math.pi) for p in p_values) / len(p_values)
    return 0.5 - math.atan(mean) / math.pi
