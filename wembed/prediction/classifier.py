"""Embeddings and classes of training and validation runs in; a predictor of the class, with a set that holds it, out.

The twin of `predictor.py`: one target per class, 1 where it is the class. A set holds all classes that are as probable
as the true ones of calibration runs are. Legend: M checkpoints, K classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.device import one_thread
from wembed.prediction.examples import Examples, Kinds, Vectors
from wembed.prediction.intervals import COVERAGE, Scores
from wembed.prediction.regression import Limits, Regression, fit_regression
from wembed.prediction.sides import Halves, check_runs

_PART = Limits()  # of whole: what a probability can be


@dataclass(frozen=True)
class Classified:
    """What is predicted of M checkpoints.

    Args:
        values: the most probable classes, [M].
        probabilities: of these, 0 to 1, [M].
        sets: classes among which the true one is with the probability asked for, the most probable first, M of them.
        in_domain: whether a checkpoint is of the kind that the classifier was fitted on, [M].
    """

    values: NDArray[np.str_]
    probabilities: NDArray[np.float64]
    sets: tuple[tuple[str, ...], ...]
    in_domain: NDArray[np.bool_]


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier; make one with `fit_classifier`.

    Args:
        regression: of the classes, one target for each.
        scores: how improbable the true classes of calibration runs are.
        classes: their names, [K].
    """

    regression: Regression
    scores: Scores
    classes: NDArray[np.str_]

    def predict(self, vectors: Vectors, kinds: Kinds | None = None, level: float = COVERAGE) -> Classified:
        """Classes for embeddings [M, D]; see `Predictor.predict`."""
        shares = _shares(self.regression.outputs(vectors))  # [M, K]
        best, most = shares.argmax(1), shares.max(1, initial=0.0)
        least = 1.0 - self.scores.quantile(level)
        inside = self.regression.holds(vectors, kinds)
        return Classified(self.classes[best], most, tuple(self._set(row, least) for row in shares), inside)

    def probability(self, vectors: Vectors, name: str) -> NDArray[np.float64]:
        """How probable a class is, by embeddings [M, D], [M]."""
        shares = _shares(self.regression.outputs(vectors))
        return np.asarray(shares[:, self.classes.tolist().index(name)])

    def _set(self, shares: NDArray[np.float64], least: float) -> tuple[str, ...]:
        order = np.argsort(-shares, kind="stable")
        kept = [place for place in order if shares[place] >= least] or [order[0]]
        return tuple(str(self.classes[place]) for place in kept)


def fit_classifier(
    train: Examples, validation: Examples, classes: NDArray[np.str_], seed: int = 0, what: str = "classes"
) -> Classifier:
    """Fits heads, chooses among them and calibrates the sets.

    Args:
        train: what heads are fitted on; their targets are places in `classes`.
        validation: other runs, which choose and calibrate.
        classes: names of the classes, [K].
        seed: of trees and networks.
        what: the classes are, in messages.

    Raises:
        TooFewRunsError: there are.
        ValueError: a run is on both sides.
    """
    check_runs(train, validation, what)
    regression = fit_regression(train, validation, lambda examples: _columns(examples, len(classes)), _PART, seed)
    own = Halves.of(validation).calibrating
    with one_thread():
        shares = _shares(regression.outputs(own.vectors))
    improbable = 1.0 - (shares * _columns(own, len(classes))).sum(1)
    return Classifier(regression, Scores(improbable, own.weights(), own.run_count), classes)


def _columns(examples: Examples, count: int) -> NDArray[np.float64]:
    """1 where a checkpoint is of a class, [N, K]."""
    return np.asarray(examples.targets[:, None] == np.arange(count), dtype=np.float64)


def _shares(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Regressed classes as probabilities, [M, K]."""
    cut = np.clip(outputs, 1e-6, 1.0)
    return np.asarray(cut / cut.sum(1, keepdims=True))
