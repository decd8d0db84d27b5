"""Places, targets and runs held out for choosing in; the head that errs least on them out."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Vectors
from wembed.prediction.heads import Head, Mean, Outputs, kernels, linears, networks
from wembed.prediction.trees import MOST_TARGETS, boostings

_HOPELESS = 1.3  # times the least error of another kind, after the first few trees: more of them are not grown


@dataclass(frozen=True)
class HeldOut:
    """What heads are chosen by.

    Args:
        places: [N, C].
        targets: [N, T].
        weights: what each counts, [N].
        low: what predictions are cut to before they are judged.
        high: its upper end.
    """

    places: Vectors
    targets: Outputs
    weights: NDArray[np.float64]
    low: float
    high: float

    def error(self, outputs: Outputs) -> float:
        """The mean squared error of predictions [N, T]."""
        return float(self.weights @ np.square(np.clip(outputs, self.low, self.high) - self.targets).mean(1))

    def error_of(self, head: Head) -> float:
        """The mean squared error of a head."""
        return self.error(head.predict(self.places))


def chosen_head(places: Vectors, targets: Outputs, held_out: HeldOut, seed: int) -> Head:
    """The best of each kind, or the mean of the best of several kinds, whichever errs least on what is held out.

    Args:
        places: of the training examples, [N, C].
        targets: of the same, [N, T].
        held_out: other runs.
        seed: of trees and networks.
    """
    error = held_out.error_of
    best = [min(linears(places, targets), key=error)]
    if places.shape[1]:  # of features that never vary the mean is all that can be told
        best += [min(kernels(places, targets, error), key=error), min(networks(places, targets, seed), key=error)]
        hopeless = _HOPELESS * min(map(error, best))
        trees = boostings(places, targets, seed, lambda head: error(head) > hopeless)
        best += [min(trees, key=error)] if targets.shape[1] <= MOST_TARGETS else []
    parts = [tuple(part) for count in range(1, len(best) + 1) for part in combinations(range(len(best)), count)]
    outputs = [head.predict(held_out.places) for head in best]
    errors = [held_out.error(np.mean([outputs[number] for number in part], axis=0)) for part in parts]
    part = parts[int(np.argmin(errors))]
    return best[part[0]] if len(part) == 1 else Mean(tuple(best[number] for number in part))
