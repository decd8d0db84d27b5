"""One value per query or pair in; the mean with its error and interval, by a bootstrap of whole groups, out.

Groups are families: runs that come from each other aren't independent, nor are their queries. The draws are those of
predictions, see `draw_groups`. Legend: Q queries, P pairs, R draws.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.prediction.draws import Counts, Measured, Values, draw_groups, measure_mean


@dataclass(frozen=True)
class Estimate:
    """A number with what is known of its error.

    Args:
        value: the number; None where it has none.
        error: its standard error; None for too few groups.
        low: lower end of the interval that holds 95 % of the draws; None for too few groups.
        high: its upper end.
    """

    value: float | None
    error: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, found: Measured) -> "Estimate":
        """What its draws say of a number."""
        low, high = found.interval or (None, None)
        return cls(found.value, found.error, low, high)


def estimated(values: Values, groups: NDArray[np.str_], generator: np.random.Generator) -> Estimate:
    """The mean of values, by drawing whole groups with replacement.

    Args:
        values: one per query, [Q]; for a paired comparison the differences.
        groups: the group of each, [Q].
        generator: of the draws.
    """
    return Estimate.of(measure_mean(values[None], draw_groups(groups, generator)))


def draw_pairs(ends: NDArray[np.str_], generator: np.random.Generator) -> Counts:
    """How often each pair is drawn: as often as both of its ends are, [1 + R, P]; the first row is each once.

    Args:
        ends: the groups of both ends of each pair, [P, 2].
        generator: of the draws.
    """
    draws = draw_groups(ends.ravel(), generator)
    first, second = draws.index.reshape(-1, 2).T
    return draws.counts[:, first] * draws.counts[:, second]


def pair_means(values: Values, counts: Counts) -> Values:
    """The mean of values [P] on everything and on each draw, [1 + R]; not a number where nothing is drawn."""
    sizes = counts.sum(1)
    means: Values = np.where(sizes > 0, counts @ values / np.maximum(sizes, 1.0), np.nan)
    return means


def estimated_by(table: Values) -> Estimate:
    """What a number on everything and on each draw says, [1 + R]."""
    return Estimate.of(Measured(table[:1], table[1:]))
