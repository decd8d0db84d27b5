"""Training examples and runs that nothing was fitted on in; whether other networks are of their kind out.

A head answers for any vector. It is believed for networks that three things speak for:
- near: as near to a training example as new runs of their kind are;
- structure: at least two training runs are of theirs, where structures are known: names, shapes, inputs and classes;
- task: they make of their inputs what training networks make of them, as far as is usual for networks of their
  embedding: what has learned nothing yet looks like no data set. This tells data sets of one shape apart, which an
  embedding that is blind to the places of inputs can't.

Legend: N training checkpoints, M others, C directions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Examples, Kinds, Vectors
from wembed.prediction.intervals import weighted_quantile
from wembed.prediction.space import squared_distances
from wembed.prediction.tasks import Placed, Tasks, fit_tasks

LEAST_RUNS = 2  # of a structure that counts as fitted on: one network alone shows no kind of network

# Of new runs of the same kind, those that nearness and the task let pass. These two, and `_RIDGE` and `_WIDTH` of
# tasks.py, were chosen on one zoo, `same`, of four 8x8 data sets (digits, the same labelled by a random network, the
# same with their pixels moved, blobs), each held out in turn: so that of those held out most are told apart while
# nine in ten of the others pass. Zoos that they were not chosen on: tests/test_prediction_measured.py.
_NEAR, _ALIKE = 0.995, 0.92


@dataclass(frozen=True)
class Domain:
    """What networks a predictor was fitted for.

    Args:
        places: of training checkpoints, [N, C].
        reach: the distance from the nearest of these up to which a network is in domain.
        structures: those fitted on; None where they are not known.
        tasks: what was learned; None where that is not known.
    """

    places: Vectors
    reach: float
    structures: NDArray[np.str_] | None
    tasks: Tasks | None

    def holds(self, places: Vectors, kinds: Kinds | None) -> NDArray[np.bool_]:
        """Whether networks are in domain, [M].

        Args:
            places: of the networks, [M, C].
            kinds: of them; None to go by their places alone.
        """
        inside = _nearest(places, self.places) <= self.reach
        if kinds is not None and self.structures is not None:
            inside &= np.isin(kinds.structures, self.structures)
        if kinds is not None and self.tasks is not None:
            inside &= self.tasks.holds(places, kinds)
        return inside


def fit_domain(train: Placed, held_out: Placed) -> Domain:
    """The domain of a predictor.

    Args:
        train: what heads were fitted on.
        held_out: runs that no head was fitted on, which say what is too far: those of a known structure, as others are
            out of domain whatever they lie near to; all of them where none has one, for want of better.
    """
    structures = _structures(train.examples)
    judged = _of_structures(held_out, structures)
    distances = _nearest(judged.places, train.places)
    reach = weighted_quantile(distances, judged.examples.weights(), _NEAR)
    return Domain(train.places, reach, structures, fit_tasks(train, judged, _ALIKE))


def _of_structures(placed: Placed, structures: NDArray[np.str_] | None) -> Placed:
    """Those of some structures, or all where none is."""
    kinds = placed.examples.kinds
    if kinds is None or structures is None:
        return placed
    known = np.isin(kinds.structures, structures)
    return placed.part(known) if known.any() else placed


def _structures(train: Examples) -> NDArray[np.str_] | None:
    if train.kinds is None:
        return None
    runs: dict[str, set[str]] = {}
    for structure, run in zip(train.kinds.structures, train.runs, strict=True):
        runs.setdefault(str(structure), set()).add(str(run))
    return np.array(sorted(name for name, found in runs.items() if name and len(found) >= LEAST_RUNS), dtype=np.str_)


def _nearest(places: Vectors, examples: Vectors) -> NDArray[np.float64]:
    """The distance of each row [M, C] to its nearest example, [M]."""
    nearest: NDArray[np.float64] = np.sqrt(squared_distances(places, examples).min(1))
    return nearest
