"""Plain arrays in, numbers out: how well a ranking finds what it should, and how well a prediction fits the truth.

Legend: Q queries, N values.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 60  # enough for an error's first digit

Values = NDArray[np.float64]
Ranks = NDArray[np.intp]


def ranks(scores: Values, relevant: Ranks) -> Ranks:
    """The rank of each query's relevant entry, from 1; whatever ties with it stands before it.

    Args:
        scores: of every entry of the gallery for every query, higher is nearer, [Q, N].
        relevant: which entry is the right one, [Q].

    Returns:
        [Q].
    """
    own = scores[np.arange(len(relevant)), relevant]  # [Q]
    found: Ranks = (scores >= own[:, None]).sum(1)  # [Q]
    return found


def recall_at(ranks: Ranks, k: int) -> float:
    """The share of queries whose relevant entry is among the first k, 0 to 1."""
    return float(np.mean(ranks <= k))


def mean_reciprocal_rank(ranks: Ranks) -> float:
    """The mean of 1 / rank, 0 to 1."""
    return float(np.mean(1.0 / ranks))


def mse(true: Values, predicted: Values) -> float:
    """The mean squared error."""
    return float(np.mean(np.square(true - predicted)))


def mae(true: Values, predicted: Values) -> float:
    """The mean absolute error."""
    return float(np.mean(np.abs(true - predicted)))


def r2(true: Values, predicted: Values) -> float | None:
    """The share of the variance that is explained: 1 at best, below 0 where the mean would do better.

    None where the truth does not vary.
    """
    variance = float(np.var(true))
    return 1.0 - mse(true, predicted) / variance if variance > 0 else None


def spearman(true: Values, predicted: Values) -> float | None:
    """The correlation of the ranks, ties at their mean rank; None where one side does not vary."""
    from scipy.stats import spearmanr

    return float(spearmanr(true, predicted).statistic) if _both_vary(true, predicted) else None


def kendall_tau(true: Values, predicted: Values) -> float | None:
    """Kendall's tau-b (Kendall, 1945), which is the usual figure for accuracy prediction.

    Concordant less discordant pairs, over the geometric mean of the pairs that are untied on either side. None where
    one side does not vary.
    """
    from scipy.stats import kendalltau

    return float(kendalltau(true, predicted, variant="b").statistic) if _both_vary(true, predicted) else None


def tau_max(true: Values) -> float:
    """The largest tau-b that predictions without ties can reach, 0 to 1.

    All untied pairs are concordant then: (P - T) / sqrt((P - T) P) = sqrt(1 - T / P), where T of P pairs tie in the
    truth. Predictions that tie where the truth does may exceed it.
    """
    count = len(true)
    pairs = count * (count - 1) / 2
    sizes = np.unique(true, return_counts=True)[1].astype(np.float64)
    tied = float((sizes * (sizes - 1) / 2).sum())
    return float(np.sqrt(1.0 - tied / pairs)) if pairs else 0.0


def grouped_standard_error(values: Values, groups: NDArray[np.str_]) -> float | None:
    """The standard error of a mean over values that come in groups, such as the snapshots of one run.

    Residuals are summed within a group first, since they are not independent there (Liang and Zeger, 1986). None for
    fewer than two groups.
    """
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.bincount(index, values - values.mean())  # [groups]
    return float(np.sqrt(np.square(sums).sum() * len(names) / (len(names) - 1)) / len(values))


def bootstrap_error(
    metric: Callable[[Values, Values], float | None],
    true: Values,
    predicted: Values,
    groups: NDArray[np.str_],
    generator: np.random.Generator,
) -> float | None:
    """The standard error of a metric of two arrays, by drawing whole groups with replacement (Efron, 1979).

    None for fewer than two groups, or where most resamples have no value.
    """
    names, index = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(index == place) for place in range(len(names))]
    if len(names) < 2:
        return None
    found = []
    for _ in range(_RESAMPLES):
        rows = np.concatenate([members[place] for place in generator.integers(0, len(names), len(names))])
        found.append(metric(true[rows], predicted[rows]))
    values = [value for value in found if value is not None]
    return float(np.std(values, ddof=1)) if len(values) > _RESAMPLES / 2 else None


def _both_vary(true: Values, predicted: Values) -> bool:
    return len(true) > 1 and bool(np.ptp(true) > 0) and bool(np.ptp(predicted) > 0)
