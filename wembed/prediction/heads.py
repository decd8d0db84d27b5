"""Regressions on standardised features: kernel ridge and gradient boosting, which err in different ways.

Each gives one candidate per setting; which is best is for validation to say. Legend: N checkpoints, D features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Targets, Vectors

# Factors of the median squared distance of two training examples.
_WIDTHS = (0.5, 1.0, 2.0, 8.0)
_RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_TREE_FEATURES = 64  # of more, as many principal components are grown trees on: trees on hundreds take too long
_FARTHEST = 5.0  # deviations
_CONSTANT = 1e-9  # a feature that deviates less carries nothing


class Head(Protocol):
    """A fitted regression."""

    def predict(self, vectors: Vectors) -> Targets:
        """Values [M] for standardised features [M, D]."""


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
class KernelRidge:
    """A Gaussian kernel's weighted sum over training examples.

    Args:
        examples: [N, D].
        coefficients: [N].
        width: of the kernel, a squared distance.
        offset: what is predicted far from everything.
    """

    examples: Vectors
    coefficients: NDArray[np.float64]
    width: float
    offset: float

    def predict(self, vectors: Vectors) -> Targets:
        """See Head."""
        kernel = np.exp(-squared_distances(vectors, self.examples) / self.width)  # [M, N]
        values: Targets = kernel @ self.coefficients + self.offset
        return values


def kernel_ridges(vectors: Vectors, targets: Targets) -> Iterator[Head]:
    """Candidates of all widths and ridges; one eigendecomposition serves all ridges of a width."""
    distances = squared_distances(vectors, vectors)  # [N, N]
    scale = float(np.median(distances[~np.eye(len(vectors), dtype=bool)])) or 1.0
    offset = float(targets.mean())
    for width in _WIDTHS:
        values, basis = np.linalg.eigh(np.exp(-distances / (width * scale)))
        rotated = basis.T @ (targets - offset)  # [N]
        for ridge in _RIDGES:
            yield KernelRidge(vectors, basis @ (rotated / (np.maximum(values, 0.0) + ridge)), width * scale, offset)


@dataclass(frozen=True)
class Boosting:
    """Gradient boosting, cut off after some trees.

    Args:
        trees: a fitted HistGradientBoostingRegressor.
        count: how many of its trees to use.
        basis: principal directions to look along, [D, C]; None for the features themselves.
    """

    trees: Any  # sklearn has no types
    count: int
    basis: NDArray[np.float64] | None

    def predict(self, vectors: Vectors) -> Targets:
        """See Head."""
        steps = self.trees.staged_predict(_along(vectors, self.basis))
        values: Targets = next(value for number, value in enumerate(steps, start=1) if number == self.count)
        return values


def boostings(vectors: Vectors, targets: Targets, seed: int) -> Iterator[Head]:
    """Candidates of several lengths of one fit."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    basis = None
    if vectors.shape[1] > _TREE_FEATURES:
        basis = np.linalg.svd(vectors, full_matrices=False)[2][:_TREE_FEATURES].T  # [D, C]
    trees = HistGradientBoostingRegressor(
        learning_rate=0.08, max_iter=200, max_leaf_nodes=12, min_samples_leaf=5, max_features=0.3,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    trees.fit(_along(vectors, basis), targets)
    for count in (50, 100, 200):
        yield Boosting(trees, count, basis)


@dataclass(frozen=True)
class Mean:
    """The mean of several heads."""

    heads: tuple[Head, ...]

    def predict(self, vectors: Vectors) -> Targets:
        """See Head."""
        values: Targets = np.mean([head.predict(vectors) for head in self.heads], axis=0)
        return values


def squared_distances(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Squared distances of rows [M, D] and [N, D], [M, N]."""
    squares = np.square(left).sum(1)[:, None] + np.square(right).sum(1)
    distances: NDArray[np.float64] = np.maximum(squares - 2.0 * left @ right.T, 0.0)
    return distances


def _along(vectors: Vectors, basis: NDArray[np.float64] | None) -> Vectors:
    return vectors if basis is None else vectors @ basis
