"""Damaged copies in; by how much the accuracy that is predicted of them differs from that of their originals.

One regression on what the main encoder learned, fitted on training runs: a damage that an embedding is blind to should
not change a prediction either, and one that ruins a network should.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Encoder
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.results import Result
from wembed.evaluate.retrieval.answers import Answers
from wembed.evaluate.stability.robustness import TASK, Damaged
from wembed.prediction import ACCURACY, Examples, Predictor, TooFewRunsError, fit_predictor, learned_part


@dataclass(frozen=True)
class Steadiness:
    """Predicts accuracies from one encoder's vectors.

    Args:
        name: of the encoder.
        encoder: itself.
        predictor: fitted on the training runs of a zoo.
    """

    name: str
    encoder: Encoder
    predictor: Predictor

    @classmethod
    def of(cls, material: Material, name: str, encoder: Encoder, vectors: Vectors, seed: int) -> "Steadiness | None":
        """Fits on the runs of a zoo; None where there are too few with known accuracies."""
        features = learned_part(encoder, vectors.values)
        usable = vectors.known & ~np.isnan(material.accuracies)
        train, validation = (_examples(material, features, usable & material.side(s)) for s in ("train", "validation"))
        try:
            return cls(name, encoder, fit_predictor(train, validation, seed))
        except TooFewRunsError:
            return None

    def results(self, damaged: Damaged, answers: Answers, splits: Mapping[str, Mask]) -> Iterator[Result]:
        """The rows of one damage: the median change, whichever way."""
        for split, mask in splits.items():
            task = damaged.task.among(mask)
            if not task.origins or not answers.gallery.known[task.origins].all():
                continue
            before = self._predicted(answers.gallery.values[task.origins])
            after = np.mean([self._predicted(each.values[task.numbers]) for each in answers.queries], axis=0)
            metric, change = f"predicted_change {damaged.kind}", float(np.median(np.abs(after - before)))
            draws = len(answers.queries)
            yield Result(TASK, self.name, metric, change, len(before), split, seeds=draws, target=ACCURACY.name)

    def _predicted(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self.predictor.predict(learned_part(self.encoder, vectors)).values
        return values


def _examples(material: Material, features: NDArray[np.float64], mask: Mask) -> Examples:
    return Examples(features[mask], material.accuracies[mask], material.kin[mask])
