"""Embeddings in; the few directions of them that heads are fitted on out.

Features are standardised over the training examples and turned into their principal directions: heads find as much in
a hundred of these as in thousands of features, and it takes a tenth of the time. Legend: N checkpoints, D features,
C directions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Vectors

_MOST_DIRECTIONS = 128
_FARTHEST = 5.0  # deviations
_CONSTANT = 1e-9  # a feature that deviates less carries nothing


@dataclass(frozen=True)
class Standardised:
    """Brings features to mean 0 and deviation 1 over the training examples, and drops those that never vary.

    What lies far outside is taken for what lies at its edge, so that networks of another kind get a prediction, too.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    kept: NDArray[np.bool_]

    @classmethod
    def of(cls, vectors: Vectors) -> "Standardised":
        """Learns it from training features [N, D]."""
        deviation = vectors.std(0)
        kept = deviation > _CONSTANT * np.maximum(np.abs(vectors).max(0, initial=0.0), _CONSTANT)
        return cls(vectors.mean(0)[kept], deviation[kept], kept)

    def __call__(self, vectors: Vectors) -> Vectors:
        """Features [M, D] to [M, D']."""
        scaled: Vectors = ((vectors[:, self.kept] - self.mean) / self.deviation).clip(-_FARTHEST, _FARTHEST)
        return scaled


@dataclass(frozen=True)
class Space:
    """The principal directions of standardised training features, those that vary most first.

    Args:
        standardised: of the training features.
        centre: their mean once they are clipped, [D'].
        basis: [D', C].
    """

    standardised: Standardised
    centre: NDArray[np.float64]
    basis: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Vectors) -> "Space":
        """Learns it from training features [N, D]."""
        standardised = Standardised.of(vectors)
        features = standardised(vectors)
        centre = features.mean(0)
        return cls(standardised, centre, _principal(features - centre))

    def __call__(self, vectors: Vectors) -> Vectors:
        """Features [M, D] to places [M, C]."""
        places: Vectors = (self.standardised(vectors.astype(np.float64)) - self.centre) @ self.basis
        return places


def squared_distances(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Squared distances of rows [M, C] and [N, C], [M, N]."""
    squares = np.square(left).sum(1)[:, None] + np.square(right).sum(1)
    distances: NDArray[np.float64] = np.maximum(squares - 2.0 * left @ right.T, 0.0)
    return distances


def _principal(centred: Vectors) -> NDArray[np.float64]:
    """Orthonormal directions [D', C] by the smaller of the two products, a tenth of a decomposition's time."""
    from scipy.linalg import eigh

    if not centred.size:
        return np.zeros((centred.shape[1], 0))
    wide = centred.shape[1] > len(centred)
    product = centred @ centred.T if wide else centred.T @ centred
    values, vectors = eigh(product, subset_by_index=[max(len(product) - _MOST_DIRECTIONS, 0), len(product) - 1])
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > values.max(initial=0.0) * _CONSTANT]
    if not wide:
        return np.asarray(vectors[:, order])
    return np.asarray(centred.T @ vectors[:, order] / np.sqrt(values[order]))
