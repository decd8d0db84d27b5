"""Transfers of training networks and their data sets in; whether others make of their inputs what these do out.

The mean transfer of a data set's networks is what they learned, without what each began with. How much of it a network
must have in common with them follows from its embedding: one that learned little has little of it, and data sets are
learned more and less clearly. A network of which more is expected than there is learned something else. Legend: N
training checkpoints, M others, C directions, K numbers of a transfer, T data sets.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Examples, Kinds, Vectors
from wembed.prediction.intervals import weighted_quantile
from wembed.prediction.space import squared_distances

_RIDGE = 0.3  # it and the width were chosen on one zoo, see domain.py
_WIDTH = 30.0  # of the kernel, in median squared distances: wide, so nearly a plane for each data set
_MOST_EXAMPLES = 2000  # of the regression, whose cost grows with their cube

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """Examples and their places.

    Args:
        places: [N, C].
        examples: N of them.
    """

    places: Vectors
    examples: Examples

    def part(self, mask: NDArray[np.bool_]) -> "Placed":
        """Some of them."""
        return Placed(self.places[mask], self.examples.part(mask))


@dataclass(frozen=True)
class Shared:
    """How much networks have in common with the data set that they have most in common with.

    Args:
        cosine: of their transfers to its mean transfer, [M].
        dataset: its number, [M].
    """

    cosine: Floats
    dataset: NDArray[np.intp]

    @classmethod
    def of(cls, cosines: Floats) -> "Shared":
        """Picks the data sets by cosines [M, T]."""
        return cls(cosines.max(1), cosines.argmax(1))


@dataclass(frozen=True)
class Expected:
    """A kernel ridge regression of what networks share, on their places, partly for each data set apart.

    Args:
        places: of training checkpoints, [N, C].
        dataset: that each of these shares most with, [N].
        coefficients: [N].
        offset: the mean.
        width: of the Gaussian kernel, a squared distance.
    """

    places: Vectors
    dataset: NDArray[np.intp]
    coefficients: Floats
    offset: float
    width: float

    @classmethod
    def of(cls, places: Vectors, shared: Shared) -> "Expected":
        """Fits it on training checkpoints."""
        from scipy.linalg import solve

        chosen = np.linspace(0, len(places) - 1, min(len(places), _MOST_EXAMPLES)).astype(int)
        places, dataset, cosine = places[chosen], shared.dataset[chosen], shared.cosine[chosen]
        distances, offset = squared_distances(places, places), float(cosine.mean())
        width = _WIDTH * (float(np.median(distances)) or 1.0)
        kernel = _kernel(distances / width, dataset, dataset)
        coefficients = solve(kernel + _RIDGE * np.eye(len(kernel)), cosine - offset, assume_a="pos")
        return cls(places, dataset, coefficients, offset, width)

    def __call__(self, places: Vectors, dataset: NDArray[np.intp]) -> Floats:
        """What is expected of networks, [M]."""
        distances = squared_distances(places, self.places)
        return np.asarray(_kernel(distances / self.width, dataset, self.dataset) @ self.coefficients + self.offset)


@dataclass(frozen=True)
class Tasks:
    """What training networks learned; make it with `fit_tasks`.

    Args:
        transfers: the mean of each data set, unit rows, [T, K].
        expected: what networks have in common with them.
        most: how far below what is expected one may be.
    """

    transfers: Floats
    expected: Expected
    most: float

    def holds(self, places: Vectors, kinds: Kinds) -> NDArray[np.bool_]:
        """Whether networks have as much in common with the training networks as that, [M]; unknown ones have."""
        known, inside = kinds.has_transfer, np.ones(len(places), dtype=np.bool_)
        if known.any():
            inside[known] = self.missing(places[known], kinds.part(known)) <= self.most
        return inside

    def missing(self, places: Vectors, kinds: Kinds) -> Floats:
        """How far below what is expected networks are, [M]."""
        shared = Shared.of(kinds.transfers @ self.transfers.T)
        return self.expected(places, shared.dataset) - shared.cosine


def fit_tasks(train: Placed, held_out: Placed, kept: float) -> Tasks | None:
    """What training networks learned; None where no transfer is known.

    Args:
        train: what heads were fitted on.
        held_out: other runs, of structures that are fitted on, which say how far below what is expected is usual.
        kept: the share of these that is in domain.
    """
    train, held_out = _known(train), _known(held_out)
    own, others = train.examples.kinds, held_out.examples.kinds
    if own is None or others is None or not len(train.places) or not len(held_out.places):
        return None
    names = np.unique(own.datasets)
    totals = np.array([own.transfers[own.datasets == name].sum(0, dtype=np.float64) for name in names])  # [T, K]
    cosines = _without_own(train.examples, own, names, totals)
    unlimited = Tasks(_unit(totals), Expected.of(train.places, Shared.of(cosines)), np.inf)
    missing = unlimited.missing(held_out.places, others)
    return replace(unlimited, most=weighted_quantile(missing, held_out.examples.weights(), kept))


def _known(placed: Placed) -> Placed:
    """Those whose transfer is known."""
    kinds = placed.examples.kinds
    return placed if kinds is None else placed.part(kinds.has_transfer)


def _without_own(train: Examples, own: Kinds, names: NDArray[np.str_], totals: Floats) -> Floats:
    """Cosines of training checkpoints to the mean transfers of all runs but their own, [N, T]."""
    _, run = np.unique(train.runs, return_inverse=True)
    cosines = np.zeros((len(run), len(names)))
    for number, name in enumerate(names):
        parts = np.zeros((run.max() + 1, totals.shape[1]))  # of each run
        chosen = own.datasets == name
        np.add.at(parts, run[chosen], own.transfers[chosen])
        cosines[:, number] = (own.transfers * _unit(totals[number] - parts)[run]).sum(1)
    return cosines


def _kernel(distances: Floats, first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
    return np.asarray(np.exp(-distances) * (1.0 + (first[:, None] == second)))


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-9))
