"""Two kindred networks in; which of them was made from the other, as far as their weights tell, out.

Rounding and pruning leave traces that cannot go the other way. Training and noise add to weights something that they
did not hold: then the norm grows, and what was added does not point against what was there. Of two children of one
network, each lacks what the other has: what takes one to the other points against both.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.sketch import Key, Sketch
from wembed.zoo.lineage.traces import Traces, is_rounding

_GREW = "weights grew"
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
        are_siblings: whether both seem to come from a third.
    """

    log_odds: float
    reason: str
    are_siblings: bool = False

    def turned(self) -> "Direction":
        """The same for the two the other way round."""
        return Direction(-self.log_odds, self.reason, self.are_siblings)


@dataclass(frozen=True)
class _Pair:
    """The weights that both have, [n]; tensors of which only a sample is known count as that sample."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]


def direction(first: tuple[Sketch, Traces], second: tuple[Sketch, Traces]) -> Direction:
    """Which of two kindred networks came first, by their weights."""
    shared = [key for key in first[0].parts if key in second[0].parts]
    pair = _pair(first[0], second[0], shared)
    for one, other, sign in ((first, second, 1.0), (second, first, -1.0)):
        found = _by_rounding(one, other, shared)
        if found:
            return Direction(sign * found.log_odds, found.reason)
    found = _by_zeros(pair) or _by_growth(pair)
    is_frozen = any(np.array_equal(first[0].parts[key], second[0].parts[key]) for key in shared)
    # Who freezes layers has plans for the others, weight decay say: growth tells nothing then.
    return Direction(0.0, "") if is_frozen and found.reason == _GREW else found


def _pair(first: Sketch, second: Sketch, shared: list[Key]) -> _Pair:
    places = [min(len(first.parts[key]), len(second.parts[key])) for key in shared]
    ends = ([own.parts[key][:most] for key, most in zip(shared, places, strict=True)] for own in (first, second))
    return _Pair(*map(np.concatenate, ends))


def _by_rounding(before: tuple[Sketch, Traces], after: tuple[Sketch, Traces], shared: list[Key]) -> Direction | None:
    """That the second is the first in a coarser format."""
    for format in sorted(after[1].formats - before[1].formats):
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


def _by_growth(pair: _Pair) -> Direction:
    added = pair.second - pair.first
    size = float(np.linalg.norm(added))
    norms = [float(np.linalg.norm(values)) for values in (pair.first, pair.second)]
    if not size or not all(norms):
        return Direction(0.0, "")
    spread = math.sqrt(1.0 / len(added) + _LOOSE**2)
    onward, back = (float(added @ pair.first) / size / norms[0], float(-added @ pair.second) / size / norms[1])
    forward, backward = (-0.5 * (min(0.0, cosine) / spread) ** 2 for cosine in (onward, back))
    are_siblings = max(forward, backward) < -_SIBLINGS
    odds = max(-_MOST, min(_MOST, forward - backward))
    return Direction(odds, _GREW if abs(odds) >= 1 else "", are_siblings)
