"""Residuals on runs that nothing was fitted on in; the width that covers a checkpoint of a new run out.

Split conformal prediction over runs: snapshots of one run are not exchangeable with those of others, runs are. A run
counts as one, spread over its snapshots, and the new run as one more whose residual may be anything (Lee, Barber and
Willett, "Distribution-free inference with hierarchical data", 2023). The interval then holds the truth of a random
snapshot of a new run with at least the stated probability.
"""

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9


def conformal_quantile(scores: NDArray[np.float64], weights: NDArray[np.float64], runs: int, coverage: float) -> float:
    """The least score that a new run's stays below with a given probability; infinite where the runs are too few.

    Args:
        scores: of the calibration checkpoints, [N].
        weights: of the same, adding up to 1, all runs alike, [N].
        runs: how many runs there are.
        coverage: the probability, 0 to 1.
    """
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) * runs / (runs + 1)  # [N], the last share being the new run's
    enough = np.flatnonzero(reached >= coverage - 1e-12)
    return float(scores[order][enough[0]]) if len(enough) else float("inf")
