"""Two networks in; which weights training reached in neither, and in which of the two they have decayed, out.

Dead units, pixels that are always dark, rare words and frozen layers get no gradient: there a child holds its parent's
weights to the last bit or, under weight decay, all of them smaller by one factor. No other relative holds more of them,
and nothing makes them grow again. What only edits weights leaves biases and norms as they were.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.sketch import Sketch

_WINDOW = 2e-6  # relative: what float32 adds to a ratio over thousands of steps
_AROUND = 64  # windows, in which chance is seen
_BEYOND_CHANCE = 4.0  # times as many as by chance
_FEWEST = 8
_SURE = 6.0  # standard errors by which a factor differs from one

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Untouched:
    """The values that stand in one ratio in two networks, of those that are looked at.

    Args:
        count: how many; 0 where there are no more than by chance.
        are_weights: whether most of these are weights, and no biases or norms.
        decayed: 1 if they are smaller in the second, -1 if in the first, 0 if in neither.
    """

    count: int = 0
    are_weights: bool = False
    decayed: int = 0

    def turned(self) -> "Untouched":
        """The same for the two the other way round."""
        return Untouched(self.count, self.are_weights, -self.decayed)


def untouched(first: Sketch, second: Sketch) -> Untouched:
    """The values that training reached in neither of two networks."""
    ratios, are_weights = _ratios(first, second)
    if len(ratios) < _FEWEST:
        return Untouched()
    counts = np.searchsorted(ratios, ratios * (1 + _WINDOW), "right") - np.arange(len(ratios))
    place = int(counts.argmax())
    count, low = int(counts[place]), float(ratios[place])
    reach = _AROUND * _WINDOW / 2
    around = np.subtract(*np.searchsorted(ratios, [low * (1 + reach), low * (1 - reach)])) - count
    if count < max(_FEWEST, _BEYOND_CHANCE * (1 + around / _AROUND)):
        return Untouched()
    chosen = slice(place, place + count)
    changes = ratios[chosen] - 1.0
    error = float(changes.std()) / np.sqrt(count) + np.finfo(float).eps
    decayed = -int(np.sign(changes.mean())) if abs(changes.mean()) > _SURE * error else 0
    return Untouched(count, bool(are_weights[chosen].mean() > 0.5), decayed)


def _ratios(first: Sketch, second: Sketch) -> tuple[Vector, NDArray[np.bool_]]:
    """What the second has for each value of the first, in order, where both have one; and which are weights."""
    keys = [key for key in first.exact if key in second.exact]
    if not keys:
        return np.zeros(0), np.zeros(0, bool)
    places = [min(len(first.exact[key]), len(second.exact[key])) for key in keys]
    one, other = (
        np.concatenate([own.exact[key][:most] for key, most in zip(keys, places, strict=True)])
        for own in (first, second)
    )
    are_weights = np.repeat([len(shape) > 1 for _, shape in keys], places)
    held = one * other > 0
    ratios = other[held] / one[held]
    order = np.argsort(ratios, kind="stable")
    return ratios[order], are_weights[held][order]
