"""Places and targets of training examples in; regressions of four kinds, which err in different ways, out.

Each kind gives one candidate per setting; which is best is for validation to say. A head is nothing but arrays, so that
it can be kept without being code. A category is regressed, too: one target per class, 1 where it is the class and 0
where not, which minimises the Brier score. Legend: N checkpoints, C directions, T targets.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Vectors
from wembed.prediction.space import Standardised as Standardised
from wembed.prediction.space import squared_distances

Outputs = NDArray[np.float64]

# Factors of the median squared distance of two training examples.
_WIDTHS = (0.5, 2.0, 8.0)
_RIDGES = (1e-3, 1e-2, 1e-1)
_SHRINKAGES = (1.0, 10.0, 100.0, 1000.0)
_DECAYS = (0.1, 1.0)
_FEW_EXAMPLES, _MOST_EXAMPLES = 1000, 4000  # of a kernel, whose cost grows with their cube


class Head(Protocol):
    """A fitted regression."""

    def predict(self, places: Vectors) -> Outputs:
        """Values [M, T] for places [M, C]."""


Error = Callable[[Head], float]  # of a head, on runs held out


@dataclass(frozen=True)
class Linear:
    """A weighted sum of the directions.

    Args:
        coefficients: [C, T].
        offset: [T].
    """

    coefficients: NDArray[np.float64]
    offset: NDArray[np.float64]

    def predict(self, places: Vectors) -> Outputs:
        """See Head."""
        return np.asarray(places @ self.coefficients + self.offset)


@dataclass(frozen=True)
class Kernel:
    """A Gaussian kernel's weighted sum over training examples.

    Args:
        examples: [N, C].
        coefficients: [N, T].
        width: of the kernel, a squared distance.
        offset: what is predicted far from everything, [T].
    """

    examples: Vectors
    coefficients: NDArray[np.float64]
    width: float
    offset: NDArray[np.float64]

    def predict(self, places: Vectors) -> Outputs:
        """See Head."""
        kernel = np.exp(-squared_distances(places, self.examples) / self.width)  # [M, N]
        return np.asarray(kernel @ self.coefficients + self.offset)


@dataclass(frozen=True)
class Network:
    """A small MLP of one hidden layer of ReLUs.

    Args:
        first: [C, H].
        first_bias: [H].
        second: [H, T].
        second_bias: [T].
    """

    first: NDArray[np.float64]
    first_bias: NDArray[np.float64]
    second: NDArray[np.float64]
    second_bias: NDArray[np.float64]

    def predict(self, places: Vectors) -> Outputs:
        """See Head."""
        hidden = np.maximum(places @ self.first + self.first_bias, 0.0)
        return np.asarray(hidden @ self.second + self.second_bias)


@dataclass(frozen=True)
class Mean:
    """The mean of several heads."""

    heads: tuple[Head, ...]

    def predict(self, places: Vectors) -> Outputs:
        """See Head."""
        return np.asarray(np.mean([head.predict(places) for head in self.heads], axis=0))


def linears(places: Vectors, targets: Outputs) -> Iterator[Head]:
    """Ridge regressions."""
    centre, offset = places.mean(0), targets.mean(0)
    gram, moment = (places - centre).T @ (places - centre), (places - centre).T @ (targets - offset)
    for shrinkage in _SHRINKAGES:
        coefficients = np.linalg.solve(gram + shrinkage * np.eye(len(gram)), moment)
        yield Linear(coefficients, offset - centre @ coefficients)


def kernels(places: Vectors, targets: Outputs, error: Error) -> Iterator[Head]:
    """Kernel ridge regressions; with many examples, some of them choose the one that is fitted on all."""
    settings = list(product(_WIDTHS, _RIDGES))
    if len(places) > _FEW_EXAMPLES:
        looks = {setting: next(_kernels(*_thinned(places, targets, _FEW_EXAMPLES), [setting])) for setting in settings}
        settings = [min(settings, key=lambda setting: error(looks[setting]))]
    yield from _kernels(*_thinned(places, targets, _MOST_EXAMPLES), settings)


def _thinned(places: Vectors, targets: Outputs, most: int) -> tuple[Vectors, Outputs]:
    """Evenly chosen examples where there are more."""
    chosen = np.linspace(0, len(places) - 1, min(len(places), most)).astype(int)
    return places[chosen], targets[chosen]


def _kernels(places: Vectors, targets: Outputs, settings: Sequence[tuple[float, float]]) -> Iterator[Head]:
    from scipy.linalg import solve

    distances = squared_distances(places, places)  # [N, N]
    scale = float(np.median(distances[~np.eye(len(places), dtype=bool)])) or 1.0
    offset = targets.mean(0)
    for width, ridge in settings:
        kernel = np.exp(-distances / (width * scale)) + ridge * np.eye(len(places))
        coefficients = solve(kernel, targets - offset, assume_a="pos", overwrite_a=True, check_finite=False)
        yield Kernel(places, coefficients, width * scale, offset)


def networks(places: Vectors, targets: Outputs, seed: int) -> Iterator[Head]:
    """Small MLPs by sklearn, on places and targets brought to one scale."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    scale = float(places.std(0).max(initial=0.0)) or 1.0
    offset, deviation = targets.mean(0), np.maximum(targets.std(0), 1e-12)
    scaled = (targets - offset) / deviation  # [N, T]
    for decay in _DECAYS:
        network = MLPRegressor(
            hidden_layer_sizes=(32,), alpha=decay, max_iter=40, learning_rate_init=5e-3,
            batch_size=min(128, len(places)), random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():  # 40 epochs are meant, converged or not
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(places / scale, scaled if scaled.shape[1] > 1 else scaled[:, 0])
        (first, second), (first_bias, second_bias) = network.coefs_, network.intercepts_
        yield Network(first / scale, first_bias, second * deviation, second_bias * deviation + offset)
