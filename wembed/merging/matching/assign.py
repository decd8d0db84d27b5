"""How alike units are in; the assignment of one network's units to the other's, with their signs, out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wembed.merging.matching.groups import Group
from wembed.symmetry import Action

Matrix = NDArray[np.float64]
Products = Mapping[int, Matrix]  # set of signs, as bits -> inner products [..., n, n] over what changes with that set


@dataclass(frozen=True)
class Likeness:
    """How alike units of two networks are where every open sign is the best one.

    Args:
        values: inner products, first network's units by second's, [..., n, n].
        flips: the signs to turn for them, as bits, of the same shape; None where none is open.
        plain: the inner products with no sign turned.
    """

    values: Matrix
    flips: NDArray[np.intp] | None
    plain: Matrix


@dataclass(frozen=True)
class Step:
    """A permutation of an atom's units, the signs that they turn, and what they gain.

    Args:
        index: new = old[index], [n].
        flips: the signs to turn, as bits, by old index, [n]; None for none.
        gain: in inner product.
    """

    index: NDArray[np.intp]
    flips: NDArray[np.intp] | None
    gain: float

    def action(self, group: Group) -> Action:
        """The step as an element of the symmetry group."""
        scales: dict[str, NDArray[np.float64]] = {}
        for bit, sites in enumerate(group.signs if self.flips is not None else ()):
            factors = 1.0 - 2.0 * (np.asarray(self.flips) >> bit & 1).astype(np.float64)
            scales |= dict.fromkeys(sites, factors)
        return Action({group.atom: self.index}, scales)


def likeness(products: Products) -> Likeness:
    """The best of all signs for every pair of units."""
    plain = np.sum(list(products.values()), axis=0) if len(products) > 1 else next(iter(products.values()))
    open_bits = int(np.bitwise_or.reduce(list(products)))
    if not open_bits:
        return Likeness(plain, None, plain)
    best, flips = plain, np.zeros(plain.shape, dtype=np.intp)
    for turned in range(1, open_bits + 1):
        if turned & ~open_bits:
            continue
        values = sum((-own if (turned & kind).bit_count() % 2 else own) for kind, own in products.items())
        flips = np.where(values > best, turned, flips)
        best = np.maximum(values, best)
    return Likeness(best, flips, plain)


def assigned(found: Likeness) -> Step:
    """The assignment that makes units most alike; what it gains is told against the order that they have."""
    return assigned_as(found, linear_sum_assignment(found.values, maximize=True)[1].astype(np.intp))


def assigned_as(found: Likeness, index: NDArray[np.intp]) -> Step:
    """A given assignment, new = old[index], with the signs that make its units most alike."""
    rows = np.arange(len(index))
    gain = float(found.values[rows, index].sum() - np.trace(found.plain))
    if found.flips is None:
        return Step(index, None, gain)
    flips = np.empty(len(index), dtype=np.intp)
    flips[index] = found.flips[rows, index]
    return Step(index, flips, gain)
