"""Plain arrays of N values in, numbers out: how well a prediction fits the truth."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


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


def _both_vary(true: Values, predicted: Values) -> bool:
    return len(true) > 1 and bool(np.ptp(true) > 0) and bool(np.ptp(predicted) > 0)
