"""A fitted target and embeddings in; what is told of each network out: nothing where it is out of domain."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.classifier import Classifier
from wembed.prediction.examples import Kinds, Vectors
from wembed.prediction.intervals import COVERAGE, Scores
from wembed.prediction.predictor import Predictor


@dataclass(frozen=True)
class Answer:
    """What is told of one target of one network.

    Args:
        target: name of the target.
        value: number or class; None where nothing is told, and so are all that follow but `in_domain`.
        low: lower end of the interval; None for a class.
        high: upper end.
        in_domain: whether the network is of the kind that the predictor was fitted on.
        probability: of the class, 0 to 1; None for a number.
        classes: among which the true one is with the probability asked for; () for a number.
    """

    target: str
    value: float | str | None
    low: float | None
    high: float | None
    in_domain: bool
    probability: float | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """A predictor of a target.

    Args:
        target: its name.
        logarithmic: whether the predictor gives logarithms of it.
        model: predicts a number or a class.
    """

    target: str
    logarithmic: bool
    model: Predictor | Classifier

    @property
    def kind(self) -> Literal["number", "category"]:
        """What is told."""
        return "category" if isinstance(self.model, Classifier) else "number"

    @property
    def scores(self) -> Scores:
        """What intervals and sets are calibrated by."""
        return self.model.scores

    def answers(self, vectors: Vectors, kinds: Kinds | None = None, level: float = COVERAGE) -> list[Answer]:
        """What is told of networks.

        Args:
            vectors: their embeddings, as fitted on, [M, D].
            kinds: of the networks; None to judge by their embeddings alone whether they are in domain.
            level: how often intervals and sets shall hold the truth, between 0 and 1.
        """
        if isinstance(self.model, Classifier):
            return self._classes(self.model, vectors, kinds, level)
        return self._numbers(self.model, vectors, kinds, level)

    def raw(self, vectors: Vectors, answer: Answer) -> NDArray[np.float64]:
        """What an answer's value would be of other vectors: the number, or its class's probability, [M]."""
        if isinstance(self.model, Classifier):
            return self.model.probability(vectors, str(answer.value))
        return self._told(self.model.predict(vectors).values)

    def _numbers(self, model: Predictor, vectors: Vectors, kinds: Kinds | None, level: float) -> list[Answer]:
        found = model.predict(vectors, kinds, level)
        columns = [self._told(part).tolist() for part in (found.values, found.low, found.high)]
        return [
            Answer(self.target, value, low, high, True) if inside else Answer(self.target, None, None, None, False)
            for value, low, high, inside in zip(*columns, found.in_domain.tolist(), strict=True)
        ]

    def _classes(self, model: Classifier, vectors: Vectors, kinds: Kinds | None, level: float) -> list[Answer]:
        found = model.predict(vectors, kinds, level)
        columns = (found.values.tolist(), found.probabilities.tolist(), found.sets, found.in_domain.tolist())
        return [
            Answer(self.target, value, None, None, True, probability, classes)
            if inside
            else Answer(self.target, None, None, None, False)
            for value, probability, classes, inside in zip(*columns, strict=True)
        ]

    def _told(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(values) if self.logarithmic else values
