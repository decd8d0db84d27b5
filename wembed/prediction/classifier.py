"""Embeddings and classes of training and validation runs in; a predictor of the class, with a set that holds it, out.

The twin of `predictor.py`: one target per class, 1 where it is the class. A set holds all classes that are as probable
as the true ones of calibration runs are. Legend: M checkpoints, K classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.device import one_thread
from wembed.prediction.choice import HeldOut, chosen_head
from wembed.prediction.domain import Domain, Seen, fit_domain
from wembed.prediction.examples import Examples, Kinds, Vectors
from wembed.prediction.heads import Head
from wembed.prediction.intervals import COVERAGE, Scores
from wembed.prediction.sides import Halves, check_runs
from wembed.prediction.space import Space


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
        space: of the training features.
        head: on places in it, one target per class.
        domain: what it was fitted for.
        scores: how improbable the true classes of calibration runs are.
        classes: their names, [K].
    """

    space: Space
    head: Head
    domain: Domain
    scores: Scores
    classes: NDArray[np.str_]

    def predict(self, vectors: Vectors, kinds: Kinds | None = None, level: float = COVERAGE) -> Classified:
        """Classes for embeddings [M, D]; see `Predictor.predict`."""
        places = self.space(vectors)
        shares = _shares(self.head.predict(places))  # [M, K]
        best, most = shares.argmax(1), shares.max(1, initial=0.0)
        least = 1.0 - self.scores.quantile(level)
        inside = self.domain.holds(places, most, kinds)
        return Classified(self.classes[best], most, tuple(self._set(row, least) for row in shares), inside)

    def probability(self, vectors: Vectors, name: str) -> NDArray[np.float64]:
        """How probable a class is, by embeddings [M, D], [M]."""
        shares = _shares(self.head.predict(self.space(vectors)))
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
    halves = Halves.of(validation)
    with one_thread():
        space = Space.of(train.vectors)
        places, choosing = space(train.vectors), space(halves.choosing.vectors)
        truth, targets = (_columns(part, len(classes)) for part in (halves.choosing, train))
        head = chosen_head(places, targets, HeldOut(choosing, truth, halves.choosing.weights(), 0.0, 1.0), seed)
        fitted, calibrating, held_out = (
            _seen(space, head, examples) for examples in (train, halves.calibrating, validation)
        )
        domain = fit_domain(fitted, held_out)
        shares = _shares(head.predict(calibrating.places))
    own = halves.calibrating
    improbable = 1.0 - (shares * _columns(own, len(classes))).sum(1)
    return Classifier(space, head, domain, Scores(improbable, own.weights(), own.run_count), classes)


def _seen(space: Space, head: Head, examples: Examples) -> Seen:
    places = space(examples.vectors)
    return Seen(places, _shares(head.predict(places)).max(1), examples)


def _columns(examples: Examples, count: int) -> NDArray[np.float64]:
    """1 where a checkpoint is of a class, [N, K]."""
    return np.asarray(examples.targets[:, None] == np.arange(count), dtype=np.float64)


def _shares(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Regressed classes as probabilities, [M, K]."""
    cut = np.clip(outputs, 1e-6, 1.0)
    return np.asarray(cut / cut.sum(1, keepdims=True))
