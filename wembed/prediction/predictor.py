"""Embeddings and numbers of training and validation runs in; a predictor of that number with an interval out.

Heads are fitted on training runs. One half of the validation runs chooses among them and says where they err, the other
half says how wide the intervals must be; no head was chosen on it, though a trained encoder's epoch was, on both. The
procedure is the same whatever made the features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.device import one_thread
from wembed.prediction.choice import HeldOut, chosen_head
from wembed.prediction.domain import Domain, Seen, fit_domain
from wembed.prediction.examples import Examples, Kinds, Targets, Vectors
from wembed.prediction.heads import Head
from wembed.prediction.intervals import COVERAGE, Scores, Smooth
from wembed.prediction.sides import Halves, check_runs
from wembed.prediction.space import Space

_SMALLEST_ERROR = 1e-3  # of the range of values: none is expected below it


@dataclass(frozen=True)
class Limits:
    """What a number can be.

    Args:
        low: its least value.
        high: its greatest.
    """

    low: float = 0.0
    high: float = 1.0

    def cut(self, values: Targets) -> Targets:
        """Values cut to it."""
        return np.clip(values, self.low, self.high)


UNIT = Limits()


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
        space: of the training features.
        head: on places in it.
        domain: what it was fitted for.
        error: what error is expected at a predicted value.
        scores: errors of calibration runs over what is expected of them.
        limits: of the number.
    """

    space: Space
    head: Head
    domain: Domain
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
        places = self.space(vectors)
        values = self.limits.cut(self.head.predict(places)[:, 0])
        half_widths = self.scores.quantile(level) * self.error(values)
        low, high = self.limits.cut(values - half_widths), self.limits.cut(values + half_widths)
        return Predictions(values, low, high, self.domain.holds(places, values, kinds))


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
    halves = Halves.of(validation)
    with one_thread():
        space = Space.of(train.vectors)
        places, choosing = space(train.vectors), space(halves.choosing.vectors)
        judge = HeldOut(choosing, halves.choosing.targets[:, None], halves.choosing.weights(), limits.low, limits.high)
        head = chosen_head(places, train.targets[:, None], judge, seed)
        fitted, chosen_by, calibrating, held_out = (
            _seen(space, head, examples, limits)
            for examples in (train, halves.choosing, halves.calibrating, validation)
        )
        error = _expected_error(chosen_by, limits)
        domain = fit_domain(fitted, held_out)
    own = halves.calibrating
    scores = Scores(_errors(calibrating) / error(calibrating.values), own.weights(), own.run_count)
    return Predictor(space, head, domain, error, scores, limits)


def _seen(space: Space, head: Head, examples: Examples, limits: Limits) -> Seen:
    places = space(examples.vectors)
    return Seen(places, limits.cut(head.predict(places)[:, 0]), examples)


def _expected_error(seen: Seen, limits: Limits) -> Smooth:
    range_of_values = limits.high - limits.low
    width = 0.5 * float(seen.values.std()) or range_of_values
    return Smooth(seen.values, np.maximum(_errors(seen), _SMALLEST_ERROR * range_of_values), width)


def _errors(seen: Seen) -> NDArray[np.float64]:
    return np.abs(seen.examples.targets - seen.values)
