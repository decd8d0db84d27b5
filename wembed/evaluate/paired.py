"""Two predictions of the same checkpoints in; how much better one orders them than the other out.

Whole runs are drawn with replacement, for both from the same draw: what makes a draw easy or hard cancels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed import metrics

RESAMPLES = 400  # enough for the second digit of a share near .95
_INTERVAL = (0.025, 0.975)
_LEAST_RUNS = 2

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The tau/tau_max of one prediction less that of another, on the same checkpoints.

    Args:
        value: on all of them.
        error: its standard error.
        low: lower end of the interval that holds 95 % of the draws.
        high: its upper end.
        above: share of the draws in which it is above 0.
    """

    value: float
    error: float
    low: float
    high: float
    above: float

    @property
    def metrics(self) -> dict[str, float]:
        """Name of a metric -> value, but for the error, which stands beside the first."""
        return {
            "tau_difference": self.value,
            "tau_difference_low": self.low,
            "tau_difference_high": self.high,
            "tau_difference_above_0": self.above,
        }


def paired_difference(
    true: Values, first: Values, second: Values, runs: NDArray[np.str_], generator: np.random.Generator
) -> Difference | None:
    """Compares two predictions by the order they put checkpoints in.

    Args:
        true: measured accuracies, [N].
        first: what the one predicts, [N].
        second: what the other predicts, [N].
        runs: the run of each checkpoint, [N].
        generator: of the draws.

    Returns:
        None where the truth does not vary, or there are fewer than two runs.
    """
    whole = _difference(true, first, second)
    if whole is None or len(np.unique(runs)) < _LEAST_RUNS:
        return None
    drawn = [_difference(true[rows], first[rows], second[rows]) for rows in _draws(runs, generator)]
    found = np.array([value for value in drawn if value is not None])
    if len(found) < RESAMPLES / 2:
        return None
    low, high = np.quantile(found, _INTERVAL).tolist()
    return Difference(whole, float(found.std(ddof=1)), low, high, float((found > 0).mean()))


def _draws(runs: NDArray[np.str_], generator: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Checkpoints of as many runs as there are, drawn with replacement, RESAMPLES times."""
    names, index = np.unique(runs, return_inverse=True)
    members = [np.flatnonzero(index == place) for place in range(len(names))]
    for _ in range(RESAMPLES):
        yield np.concatenate([members[place] for place in generator.integers(0, len(names), len(names))])


def _difference(true: Values, first: Values, second: Values) -> float | None:
    shares = [_share(true, values) for values in (first, second)]
    return None if shares[0] is None or shares[1] is None else shares[0] - shares[1]


def _share(true: Values, values: Values) -> float | None:
    """tau/tau_max; 0 for values that are all the same, which order nothing."""
    most = metrics.tau_max(true)
    return (metrics.kendall_tau(true, values) or 0.0) / most if most else None
