"""Embeddings and accuracies of training and validation runs in; a predictor of accuracy with an interval out.

Heads are fitted on training runs. One half of the validation runs chooses among their settings, the other half says
how wide the intervals must be; no head was chosen on it, though a trained encoder's epoch was, on both. The procedure
is the same whatever made the features.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.device import one_thread
from wembed.errors import WembedError
from wembed.prediction.examples import Examples, Targets, Vectors
from wembed.prediction.heads import Head, Mean, Standardised, boostings, kernel_ridges, squared_distances
from wembed.prediction.intervals import COVERAGE, conformal_quantile

MIN_RUNS = {"training": 10, "validation": 4}  # with fewer than 18 of the latter the intervals are all of 0 to 1
_DOMAIN_COVERAGE = 0.95  # of new runs of the same kind that count as in domain


class TooFewRunsError(WembedError):
    """There are not enough runs with known accuracies to predict from."""


@dataclass(frozen=True)
class Predictions:
    """What is predicted of M checkpoints, each [M].

    Args:
        values: accuracies, 0 to 1; not a number where they are withheld, and so are the ends.
        low: lower ends of the intervals, which hold the truth with probability COVERAGE.
        high: upper ends.
        in_domain: whether a checkpoint lies as near to the training examples as 95 % of validation runs do.
    """

    values: Targets
    low: Targets
    high: Targets
    in_domain: NDArray[np.bool_]


@dataclass(frozen=True)
class Predictor:
    """A fitted predictor; make one with `fit_predictor`.

    Args:
        standardised: of the training features.
        head: on standardised features.
        examples: the standardised training features, [N, D].
        half_width: of the intervals before they are cut to 0 to 1.
        reach: the distance from the nearest training example up to which a checkpoint is in domain.
    """

    standardised: Standardised
    head: Head
    examples: Vectors
    half_width: float
    reach: float

    def predict(self, vectors: Vectors) -> Predictions:
        """Predictions for embeddings [M, D]."""
        features = self.standardised(vectors.astype(np.float64))
        values = np.clip(self.head.predict(features), 0.0, 1.0)
        low, high = np.maximum(values - self.half_width, 0.0), np.minimum(values + self.half_width, 1.0)
        return Predictions(values, low, high, _nearest(features, self.examples) <= self.reach)


def fit_predictor(train: Examples, validation: Examples, seed: int = 0) -> Predictor:
    """Fits heads, chooses among them and calibrates the intervals.

    Args:
        train: what heads are fitted on.
        validation: other runs, which choose and calibrate.
        seed: of the trees.

    Raises:
        TooFewRunsError: there are.
        ValueError: a run is on both sides.
    """
    check_runs(train, validation)
    with one_thread():
        standardised = Standardised.of(train.vectors)
        features = standardised(train.vectors)
        choosing, calibrating = _halves(validation)
        head = _chosen(features, train.targets, standardised, choosing, seed)
        held_out = standardised(calibrating.vectors)
        errors = np.abs(calibrating.targets - np.clip(head.predict(held_out), 0.0, 1.0))  # [N]
        distances = _nearest(held_out, features)  # [N]
    weights, runs = calibrating.weights(), calibrating.run_count
    reach = conformal_quantile(distances, weights, runs, _DOMAIN_COVERAGE)
    half_width = conformal_quantile(errors, weights, runs, COVERAGE)
    return Predictor(standardised, head, features, half_width, min(reach, float(distances.max())))


def check_runs(train: Examples, validation: Examples) -> None:
    """Checks that there is enough to fit and calibrate on.

    Raises:
        TooFewRunsError: there are.
        ValueError: a run is on both sides.
    """
    for name, examples in (("training", train), ("validation", validation)):
        if examples.run_count < MIN_RUNS[name]:
            found = f"found {examples.run_count} {name} runs, expected {MIN_RUNS[name]} or more"
            raise TooFewRunsError(f"too few runs with known accuracies to predict from: {found}", "add more to the zoo")
    both = sorted(set(train.runs) & set(validation.runs))
    if both:
        raise ValueError(f"run {both[0]} is among training and validation runs")


def _chosen(features: Vectors, targets: Targets, standardised: Standardised, choosing: Examples, seed: int) -> Head:
    """The best kernel ridge, the best boosting, or their mean."""
    held_out, weights = standardised(choosing.vectors), choosing.weights()

    def error(head: Head) -> float:
        return float(weights @ np.square(np.clip(head.predict(held_out), 0.0, 1.0) - choosing.targets))

    def best(heads: Iterable[Head]) -> Head:
        return min(heads, key=error)

    smooth, grown = best(kernel_ridges(features, targets)), best(boostings(features, targets, seed))
    return best([Mean((smooth, grown)), smooth, grown])


def _halves(validation: Examples) -> tuple[Examples, Examples]:
    """Two halves of the runs, in the order of a hash of their names."""
    names = sorted(set(validation.runs), key=lambda name: hashlib.sha256(str(name).encode()).digest())
    first = np.isin(validation.runs, names[: len(names) // 2])  # [N]
    return _part(validation, first), _part(validation, ~first)


def _part(examples: Examples, mask: NDArray[np.bool_]) -> Examples:
    return Examples(examples.vectors[mask], examples.targets[mask], examples.runs[mask])


def _nearest(features: Vectors, examples: Vectors) -> NDArray[np.float64]:
    """The distance of each row [M, D] to its nearest example, [M]."""
    nearest: NDArray[np.float64] = np.sqrt(squared_distances(features, examples).min(1))
    return nearest
