"""How large an element must be to stay when a tensor is trimmed to its largest ones.

The exact rank is found without sorting, or holding, the whole tensor: a sample says between which two numbers the
answer almost surely lies, and one pass over the tensor counts what is outside of them and collects what is inside.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from wembed.merging.methods.blocks import Blocks, Values

_SAMPLE = 1 << 15  # elements
_DEVIATIONS = 6.0  # of a sampled rank, on each side: one bracket in 5e8 misses if the sample is as good as random


@dataclass
class _Bracket:
    """Two numbers, how many magnitudes are beyond, and those between them.

    Args:
        low: the answer is expected to be at least this.
        high: and at most this.
    """

    low: float
    high: float
    above: int = 0
    inside: int = 0
    between: list[Values] = field(default_factory=list)

    def add(self, magnitudes: Values) -> None:
        """Counts one block."""
        self.above += int(np.count_nonzero(magnitudes > self.high))
        is_inside = magnitudes >= self.low
        is_inside &= magnitudes <= self.high
        if self.low < self.high:
            self.between.append(magnitudes.compress(is_inside))
        self.inside += int(np.count_nonzero(is_inside))

    def largest(self, number: int) -> float | None:
        """The magnitude that `number` are at least as large as; None where it is not in the bracket."""
        number -= self.above
        if not 0 < number <= self.inside:
            return None
        if self.low == self.high:
            return self.low
        rank = self.inside - number
        return float(np.partition(np.concatenate(self.between), rank)[rank])


def magnitude(vector: Values) -> Values:
    """The absolute value of each element."""
    return np.abs(vector)


def kept_from(blocks: Blocks, density: float) -> list[float]:
    """For each network the magnitude from which on elements of its task vector are kept.

    They are the largest `density` of all, one at least, and those that are as large as the smallest of them.
    """
    number = max(1, int(density * blocks.size))
    if number >= blocks.size:
        return [0.0] * blocks.networks
    found = _ranked(blocks, _brackets(blocks, number / blocks.size), number)
    if None in found:  # the sample was not like the rest
        everything = [_Bracket(0.0, math.inf) if rank is None else _Bracket(rank, rank) for rank in found]
        found = _ranked(blocks, everything, number)
    return [0.0 if threshold is None else threshold for threshold in found]


def _ranked(blocks: Blocks, brackets: list[_Bracket], number: int) -> list[float | None]:
    for block in blocks:
        for vector, bracket in zip(block.task_vectors(), brackets, strict=True):
            bracket.add(magnitude(vector))
    return [bracket.largest(number) for bracket in brackets]


def _brackets(blocks: Blocks, share: float) -> list[_Bracket]:
    """Where the answers lie, as a sample says."""
    step = math.ceil(blocks.size / _SAMPLE) | 1  # odd, as tensors' rows mostly are not: a sample is not one column
    deviations = _DEVIATIONS if step > 1 else 0.0
    return [_bracket(magnitude(vector), share, deviations) for vector in blocks.sample(step).task_vectors()]


def _bracket(sample: Values, share: float, deviations: float) -> _Bracket:
    count = len(sample)
    margin = deviations * math.sqrt(count * share * (1.0 - share)) + 1.0
    low, high = math.floor((1.0 - share) * count - margin), math.ceil((1.0 - share) * count + margin)
    ranks = max(low, 0), min(high, count - 1)
    ranked = np.partition(sample, ranks)
    return _Bracket(float(ranked[ranks[0]]) if low >= 0 else 0.0, float(ranked[ranks[1]]) if high < count else math.inf)
