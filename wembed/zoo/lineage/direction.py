"""Two kindred networks in; which of them was made from the other, as far as their weights tell, out.

Rounding and pruning leave traces that cannot go the other way. Training and noise add to weights something that they
did not hold: then the norm grows, and what was added does not point against what was there. What training never reached
only decays. Of two children of one network, each lacks what the other has: what takes one to the other points against
both.
"""

import math
import sys
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.sketch import Key, Sketch, both
from wembed.zoo.lineage.traces import Format, is_rounding
from wembed.zoo.lineage.untouched import Untouched

_GREW = "weights grew"
DECAYED = "unused weights decayed"
EVEN = "frozen or unused weights are the same"  # which leaves it open
CERTAIN = 12.0  # log-odds of what cannot go the other way
_LOOSE = 0.02  # cosine of what was added with what was there, beside chance
_SIBLINGS = 3.0  # log-likelihood that is missing on both sides
_MOST = 3.0  # log-odds that growth alone may give: weight decay can outdo it
_KEPT = 0.99  # of the weights that pruning leaves, exactly as they were


@dataclass(frozen=True)
class Direction:
    """Which of two networks came first.

    Args:
        log_odds: of the first having come first, natural logarithm.
        reason: what decides, in words; "" where nothing does.
        are_siblings: whether both come from a third.
        siblings: how much likelier the weights are if they do, logarithm of a ratio.
    """

    log_odds: float
    reason: str
    are_siblings: bool = False
    siblings: float = -math.inf

    def turned(self) -> "Direction":
        """The same for the two the other way round."""
        return Direction(-self.log_odds, self.reason, self.are_siblings, self.siblings)


@dataclass(frozen=True)
class _Pair:
    """The weights that both have, [n]; tensors of which only a sample is known count as that sample."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]


UNTOLD = Direction(0.0, "")

Traced = tuple[Sketch, frozenset[Format]]  # a network's weights, and the formats that they were rounded to


def direction(first: Traced, second: Traced, common: Untouched) -> Direction:
    """Which of two kindred networks came first, by their weights.

    Args:
        first: one.
        second: the other.
        common: what training reached in neither.
    """
    shared = [key for key in first[0].parts if key in second[0].parts]
    pair = _pair(first[0], second[0], shared)
    for one, other, sign in ((first, second, 1.0), (second, first, -1.0)):
        found = _by_rounding(one, other, shared)
        if found:
            return Direction(sign * found.log_odds, found.reason)
    found = _by_zeros(pair)
    if found:
        return found
    return _by_decay(common) if common.are_weights and not first[1] | second[1] else _by_growth(pair)


def _pair(first: Sketch, second: Sketch, shared: list[Key]) -> _Pair:
    ends = [both(first, second, key) for key in shared]
    return _Pair(*(np.concatenate([end[side] for end in ends]) for side in (0, 1)))


def _by_rounding(before: Traced, after: Traced, shared: list[Key]) -> Direction | None:
    """That the second is the first in a coarser format."""
    for format in sorted(after[1] - before[1]):
        if is_rounding(format, before[0], after[0], shared):
            return Direction(CERTAIN, f"rounded to {format}")
    return None


def _by_zeros(pair: _Pair) -> Direction | None:
    zeros = pair.first == 0, pair.second == 0
    new = zeros[1] & ~zeros[0], zeros[0] & ~zeros[1]
    if new[0].sum() == new[1].sum():
        return None
    gone = int(new[1].sum() > new[0].sum())  # which one has fewer weights that are no zeros: 1 for the first
    fuller, emptier = (pair.second, pair.first) if gone else (pair.first, pair.second)
    both = (fuller != 0) & (emptier != 0)
    if not both.any() or (fuller[both] == emptier[both]).mean() < _KEPT:
        return None
    return Direction(-CERTAIN if gone else CERTAIN, "zeros added")


def _by_decay(common: Untouched) -> Direction:
    """That the one whose untouched weights are smaller is the later one; where they are equal, growth tells nothing.

    Two runs from one start, and one whose layers were frozen to give another, have decayed alike.
    """
    return Direction(CERTAIN * common.decayed, DECAYED) if common.decayed else Direction(0.0, EVEN)


def _by_growth(pair: _Pair) -> Direction:
    """By where the origin stands: what was added does not point at it, and lies between the two of a third's children.

    The place along the way from one to the other that is nearest to the origin is at the parent, give or take chance.
    """
    added = pair.second - pair.first
    size = float(np.linalg.norm(added))
    norms = [float(np.linalg.norm(values)) for values in (pair.first, pair.second)]
    if not size or not all(norms):
        return UNTOLD
    place = -float(added @ pair.first) / size**2  # 0 at the first, 1 at the second
    error = math.sqrt((1.0 / len(added) + _LOOSE**2) * norms[0] * norms[1]) / size
    forward, backward = (-0.5 * (max(0.0, beyond) / error) ** 2 for beyond in (place, 1.0 - place))
    odds = max(-_MOST, min(_MOST, forward - backward))
    normal = NormalDist(sigma=error)
    between = (normal.cdf(place) - normal.cdf(place - 1.0)) * error * math.sqrt(2 * math.pi)
    siblings = math.log(max(between, sys.float_info.min)) - max(forward, backward)
    are_siblings = max(forward, backward) < -_SIBLINGS
    return Direction(odds, _GREW if abs(odds) >= 1 else "", are_siblings, siblings)
