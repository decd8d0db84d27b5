"""Embeddings and numbers of training and validation runs in; a predictor of that number with an interval out.

One half of the validation runs chooses among heads and says where they err, the other half says how wide the intervals
must be; no head was chosen on it, though a trained encoder's epoch was, on both. The procedure is the same whatever
made the features. Legend: M checkpoints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.device import one_thread
from wembed.prediction.examples import Examples, Kinds, Targets, Vectors
from wembed.prediction.intervals import COVERAGE, Scores, Smooth
from wembed.prediction.regression import Limits, Regression, fit_regression
from wembed.prediction.sides import Halves, check_runs

UNIT = Limits()

_SMALLEST_ERROR = 1e-3  # of the range of values: none is expected below it


@dataclass(frozen=True)
class Predictions:
    """What is predicted of M checkpoints, each [M].

    Args:
        values: the numbers, such as accuracies, within their limits.
        low: lower ends of the intervals, which hold the truth with the probability asked for.
        high: upper ends.
        in_domain: whether a checkpoint is of the kind that the predictor was fitted on, see `Domain`.
    """

    values: Targets
    low: Targets
    high: Targets
    in_domain: NDArray[np.bool_]


@dataclass(frozen=True)
class Predictor:
    """A fitted predictor; make one with `fit_predictor`.

    Args:
        regression: of the number.
        error: what error is expected at a predicted value.
        scores: errors of calibration runs over what is expected of them.
        limits: of the number.
    """

    regression: Regression
    error: Smooth
    scores: Scores
    limits: Limits

    def predict(self, vectors: Vectors, kinds: Kinds | None = None, level: float = COVERAGE) -> Predictions:
        """Predictions for embeddings [M, D].

        Args:
            vectors: the embeddings.
            kinds: of the networks; None to judge by their embeddings alone whether they are in domain.
            level: how often intervals shall hold the truth, between 0 and 1.
        """
        values = _values(self.regression, vectors, self.limits)
        half_widths = self.scores.quantile(level) * self.error(values)
        low, high = self.limits.cut(values - half_widths), self.limits.cut(values + half_widths)
        return Predictions(values, low, high, self.regression.holds(vectors, kinds))


def fit_predictor(
    train: Examples, validation: Examples, seed: int = 0, limits: Limits = UNIT, what: str = "accuracies"
) -> Predictor:
    """Fits heads, chooses among them and calibrates the intervals.

    Args:
        train: what heads are fitted on.
        validation: other runs, which choose and calibrate.
        seed: of trees and networks.
        limits: of the number that is predicted.
        what: the number is, in messages.

    Raises:
        TooFewRunsError: there are.
        ValueError: a run is on both sides.
    """
    check_runs(train, validation, what)
    regression = fit_regression(train, validation, lambda examples: examples.targets[:, None], limits, seed)
    halves = Halves.of(validation)
    with one_thread():
        chosen_by, own = (_values(regression, half.vectors, limits) for half in (halves.choosing, halves.calibrating))
    error = _expected_error(chosen_by, halves.choosing.targets, limits)
    errors = np.abs(halves.calibrating.targets - own)
    scores = Scores(errors / error(own), halves.calibrating.weights(), halves.calibrating.run_count)
    return Predictor(regression, error, scores, limits)


def _values(regression: Regression, vectors: Vectors, limits: Limits) -> Targets:
    return limits.cut(regression.outputs(vectors)[:, 0])


def _expected_error(values: Targets, true: Targets, limits: Limits) -> Smooth:
    range_of_values = limits.high - limits.low
    width = 0.5 * float(values.std()) or range_of_values
    return Smooth(values, np.maximum(np.abs(true - values), _SMALLEST_ERROR * range_of_values), width)
