"""Residuals on runs that nothing was fitted on in; the width that covers a checkpoint of a new run out.

Split conformal prediction over runs: snapshots of one run are not exchangeable with those of others, runs are. A run
counts as one, spread over its snapshots, and the new run as one more whose residual may be anything (Lee, Barber and
Willett, "Distribution-free inference with hierarchical data", 2023). The interval then holds the truth of a random
snapshot of a new run with at least the stated probability, whatever the residuals are divided by: dividing them by
what is expected of them makes intervals narrow where predictions are good (Lei et al., "Distribution-free predictive
inference for regression", 2018).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9

_PRIOR = 0.5  # how many examples the mean counts as


def conformal_quantile(scores: NDArray[np.float64], weights: NDArray[np.float64], runs: int, coverage: float) -> float:
    """The least score that a new run's stays below with a given probability; infinite where the runs are too few.

    Args:
        scores: of the calibration checkpoints, [N].
        weights: of the same, adding up to 1, all runs alike, [N].
        runs: how many runs there are.
        coverage: the probability, 0 to 1.
    """
    return weighted_quantile(scores, weights * runs / (runs + 1), coverage)  # the last share is the new run's


def runs_needed(coverage: float) -> int:
    """How many calibration runs there must be for a quantile that isn't infinite."""
    return math.ceil(coverage / (1.0 - coverage) - 1e-9)


def weighted_quantile(scores: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """The least score up to which the weights add up to a share; infinite where all of them don't.

    Args:
        scores: [N].
        weights: of the same, [N].
        share: 0 to 1.
    """
    order = np.argsort(scores, kind="stable")
    enough = np.flatnonzero(np.cumsum(weights[order]) >= share - 1e-12)
    return float(scores[order][enough[0]]) if len(enough) else float("inf")


@dataclass(frozen=True)
class Scores:
    """Calibration scores, kept so that any coverage can be asked for.

    Args:
        values: [N].
        weights: adding up to 1, all runs alike, [N].
        runs: how many runs there are.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    runs: int

    def quantile(self, coverage: float) -> float:
        """See `conformal_quantile`."""
        return conformal_quantile(self.values, self.weights, self.runs, coverage)

    def is_bounded(self, coverage: float) -> bool:
        """Whether the runs are enough for intervals that say anything."""
        return self.runs >= runs_needed(coverage)


@dataclass(frozen=True)
class Smooth:
    """What is expected of a number, such as the size of an error, given a predicted value: a mean over values near by.

    Args:
        at: predicted values, [N].
        found: the number at each, [N].
        width: of the Gaussian that says what is near.
    """

    at: NDArray[np.float64]
    found: NDArray[np.float64]
    width: float

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected numbers [M] at predicted values [M]."""
        nearness = np.exp(-0.5 * np.square((values[:, None] - self.at) / self.width))  # [M, N]
        total = nearness @ self.found + _PRIOR * self.found.mean()
        return np.asarray(total / (nearness.sum(1) + _PRIOR))
