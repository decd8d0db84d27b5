"""One value per query in; the mean out, with its error and the interval that a bootstrap of whole groups gives it.

Groups are runs, or families where runs come from each other: their queries aren't independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed import metrics

RESAMPLES = 1000
_INTERVAL = (0.025, 0.975)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over queries.

    Args:
        value: the mean.
        error: its standard error; None for fewer than two groups.
        low: lower end of the interval that holds 95 % of the draws; None for fewer than two groups.
        high: its upper end.
    """

    value: float
    error: float | None = None
    low: float | None = None
    high: float | None = None


def estimated(values: Values, groups: NDArray[np.str_], generator: np.random.Generator) -> Estimate:
    """The mean of values, by drawing whole groups with replacement (Efron, 1979).

    Args:
        values: one per query, [Q]; for a paired comparison the differences.
        groups: the group of each, [Q].
        generator: of the draws.
    """
    names, index = np.unique(groups, return_inverse=True)
    count = len(names)
    if count < 2:
        return Estimate(float(values.mean()))
    sums, sizes = np.bincount(index, values), np.bincount(index)  # [G]
    drawn = generator.multinomial(count, np.full(count, 1 / count), RESAMPLES)  # [R, G], how often each is drawn
    low, high = np.quantile((drawn @ sums) / (drawn @ sizes), _INTERVAL).tolist()
    return Estimate(float(values.mean()), metrics.grouped_standard_error(values, groups), low, high)
