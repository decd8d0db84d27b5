"""Training examples and runs that nothing was fitted on in; whether other networks are of their kind out.

A head answers for any vector. It is believed for networks that three things speak for:
- near: as near to a training example as new runs of their kind are;
- structure: at least two training runs are of theirs, where structures are known: names, shapes, inputs and classes;
- transfer: they make of their inputs what training networks of that structure make of them, as far as is usual for
  networks of the value that is predicted: what has learned nothing yet looks like no data set. This tells data sets of
  one shape apart, which an embedding that is blind to the places of inputs can't.

Legend: N training checkpoints, M others, C directions, K numbers of a transfer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Examples, Kinds, Targets, Vectors
from wembed.prediction.intervals import Smooth, weighted_quantile
from wembed.prediction.space import squared_distances

LEAST_RUNS = 2  # of a structure that counts as fitted on: one network alone shows no kind of network

_KEPT = 0.97  # of new runs of the same kind that each of nearness and transfer lets pass
_ALIKE = 5  # training networks whose mean cosine says how usual a transfer is


@dataclass(frozen=True)
class Transfers:
    """How alike the transfers of networks of one structure usually are.

    Args:
        known: those of training checkpoints, unit rows, [N, K].
        structures: of the same, [N].
        expected: cosine to the most similar training checkpoints, by the predicted value.
        least: how far below what is expected one may be.
    """

    known: NDArray[np.float32]
    structures: NDArray[np.str_]
    expected: Smooth
    least: float

    def holds(self, kinds: Kinds, values: Targets) -> NDArray[np.bool_]:
        """Whether networks are as alike as that, [M]; those whose transfer isn't known are."""
        cosines = _alike(kinds, self.known, self.structures)
        missing = self.expected(values) - cosines
        return np.asarray((missing <= self.least) | ~kinds.transfers.any(1))


@dataclass(frozen=True)
class Domain:
    """What networks a predictor was fitted for.

    Args:
        places: of training checkpoints, [N, C].
        reach: the distance from the nearest of these up to which a network is in domain.
        structures: those fitted on; None where they are not known.
        transfers: None where they are not known, or nothing follows from them.
    """

    places: Vectors
    reach: float
    structures: NDArray[np.str_] | None
    transfers: Transfers | None

    def holds(self, places: Vectors, values: Targets, kinds: Kinds | None) -> NDArray[np.bool_]:
        """Whether networks are in domain, [M].

        Args:
            places: of the networks, [M, C].
            values: predicted of them, [M].
            kinds: of them; None to go by their places alone.
        """
        inside = _nearest(places, self.places) <= self.reach
        if kinds is not None and self.structures is not None:
            inside &= np.isin(kinds.structures, self.structures)
        if kinds is not None and self.transfers is not None:
            inside &= self.transfers.holds(kinds, values)
        return inside


@dataclass(frozen=True)
class Seen:
    """Examples as a predictor sees them.

    Args:
        places: [N, C].
        values: that are predicted, [N].
        examples: the runs.
    """

    places: Vectors
    values: Targets
    examples: Examples


def fit_domain(train: Seen, held_out: Seen) -> Domain:
    """The domain of a predictor.

    Args:
        train: what heads were fitted on, which says how alike transfers are.
        held_out: runs that no head was fitted on, which say what is too far.
    """
    distances = _nearest(held_out.places, train.places)
    reach = _furthest(distances, held_out.examples)
    return Domain(train.places, reach, _structures(train.examples), _transfers(train, held_out))


def _furthest(scores: NDArray[np.float64], examples: Examples) -> float:
    """What most runs stay below."""
    return weighted_quantile(scores, examples.weights(), _KEPT)


def _structures(train: Examples) -> NDArray[np.str_] | None:
    if train.kinds is None:
        return None
    runs: dict[str, set[str]] = {}
    for structure, run in zip(train.kinds.structures, train.runs, strict=True):
        runs.setdefault(str(structure), set()).add(str(run))
    return np.array(sorted(name for name, found in runs.items() if name and len(found) >= LEAST_RUNS), dtype=np.str_)


def _transfers(train: Seen, held_out: Seen) -> Transfers | None:
    own, others = train.examples.kinds, held_out.examples.kinds
    if own is None or others is None or not own.transfers.any() or not others.transfers.any():
        return None
    known, structures, runs = own.transfers.astype(np.float32), own.structures, train.examples.runs
    cosines = _alike(own, known, structures, runs[:, None] == runs)
    width = 0.5 * float(train.values.std()) or 1.0
    expected = Smooth(train.values, cosines, width)
    missing = expected(held_out.values) - _alike(others, known, structures)
    return Transfers(known, structures, expected, _furthest(missing, held_out.examples))


def _alike(
    kinds: Kinds, known: NDArray[np.float32], structures: NDArray[np.str_], left_out: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """The mean cosine of each network's transfer to the most similar ones of its structure, [M]; -1 if there is none.

    Args:
        kinds: of the networks, [M].
        known: transfers to compare with, [N, K].
        structures: of these, [N].
        left_out: pairs not to look at, [M, N].
    """
    found = np.full(len(kinds.structures), -1.0)
    for structure in np.unique(kinds.structures):
        rows, columns = kinds.structures == structure, structures == structure
        cosines = (kinds.transfers[rows].astype(np.float32) @ known[columns].T).astype(np.float64)
        if left_out is not None:
            cosines[left_out[np.ix_(rows, columns)]] = -np.inf
        best = np.sort(cosines, axis=1)[:, -_ALIKE:]
        counts = np.isfinite(best).sum(1)
        total = np.where(np.isfinite(best), best, 0.0).sum(1)
        found[rows] = np.where(counts > 0, total / np.maximum(counts, 1), -1.0)
    return found


def _nearest(places: Vectors, examples: Vectors) -> NDArray[np.float64]:
    """The distance of each row [M, C] to its nearest example, [M]."""
    nearest: NDArray[np.float64] = np.sqrt(squared_distances(places, examples).min(1))
    return nearest
