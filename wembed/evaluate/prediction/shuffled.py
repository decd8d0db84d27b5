"""The leak test: what is left of a prediction when the labels that it was fitted on mean nothing.

The same procedure on fewer checkpoints, whose targets are dealt out anew among them. What reaches the regression by any
other way than through them shows as a tau that is not near 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from wembed import metrics
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Material
from wembed.evaluate.prediction.accuracy import PREDICTION, SHUFFLED, Sample
from wembed.evaluate.prediction.fits import Fitting, fit
from wembed.evaluate.prediction.targets import Truth
from wembed.evaluate.results import Result
from wembed.prediction import TooFewRunsError

SHUFFLES = 10
_MOST_FITTED = 150  # training checkpoints
_SIDES = 2.26  # standard errors on either side that hold 95 %: Student's t of 10 draws


@dataclass(frozen=True)
class _Series:
    metric: str
    values: list[float]

    def row(self, like: Result) -> Result:
        mean, error = float(np.mean(self.values)), float(np.std(self.values, ddof=1) / np.sqrt(SHUFFLES))
        low, high = mean - _SIDES * error, mean + _SIDES * error
        return replace(like, metric=self.metric, value=mean, error=error, low=low, high=high)


def shuffled_results(
    material: Material, name: str, vectors: Vectors, truth: Truth, sample: Sample, seed: int
) -> Iterator[Result]:
    """R2 and tau without what the labels say, the means over several shuffles.

    Args:
        material: the zoo.
        name: of the encoder or baseline.
        vectors: of the zoo's checkpoints.
        truth: what is predicted.
        sample: what to measure on, all of which has vectors.
        seed: of the shuffles.
    """
    generator, found = np.random.default_rng([seed, 3]), []
    for number in range(SHUFFLES):
        dealt = _dealt_anew(material, vectors, truth, generator)
        how = Fitting((seed + number,), np.ones(len(material.rows), dtype=bool), _MOST_FITTED)
        try:
            found.append(fit(material, vectors, dealt, how).values[0, sample.mask])
        except TooFewRunsError:
            return
    like = Result(PREDICTION, f"{name} {SHUFFLED}", "", None, len(sample.true), sample.split, target=sample.target)
    for metric, measure in (("r2", metrics.r2), ("tau", metrics.kendall_tau)):
        yield _Series(metric, [measure(sample.true, values) or 0.0 for values in found]).row(like)


def _dealt_anew(material: Material, vectors: Vectors, truth: Truth, generator: np.random.Generator) -> Truth:
    """What is known, its values shuffled among those that are fitted or calibrated on, each side by itself."""
    values, usable = truth.values.copy(), vectors.known & ~np.isnan(truth.values)
    for side in (usable & material.side("train"), usable & material.side("validation")):
        values[side] = generator.permutation(values[side])
    return replace(truth, values=values)
