"""Ranks and changes in; the share of queries that find their parent out, by derivation and by change."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

EDGES = (0.0, 0.01, 0.03, 0.1, 0.3, np.inf)  # of a child's change, relative to its parent
RARELY_LOST = 0.3  # change up to which a fine-tuned child has to find its parent

Record = Callable[[str, float], None]


def bins_of(changes: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What each bin of changes is called, and which queries are in it, [Q]."""
    for low, high in itertools.pairwise(EDGES):
        label = f"change above {low:g}" if high == np.inf else f"change {low:g} to {high:g}"
        yield label, (changes > low) & (changes <= high)


def ranks_of(scores: NDArray[np.floating], relevant: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rank of each query's relevant entry, from 1; whatever ties with it stands before it, [Q].

    Args:
        scores: of every entry of the gallery for every query, higher is nearer, [Q, N].
        relevant: which entry is the right one, [Q].
    """
    own = scores[np.arange(len(relevant)), relevant]  # [Q]
    return (scores >= own[:, None]).sum(1)


def record_recall(
    record: Record, title: str, ranks: NDArray[np.intp], changes: NDArray[np.float64], labels: Sequence[str] = ()
) -> None:
    """Writes Recall@1 of all queries, of each label and of each bin of changes into the closing section.

    Args:
        record: takes a name and a number.
        title: of the table.
        ranks: of the parents, [Q].
        changes: of the queries, relative to their parents, [Q].
        labels: of the queries, such as how each was derived, [Q]; none for no row of any label.
    """
    kinds = [(label, np.array([label == each for each in labels])) for label in sorted(set(labels))]
    everything = ("all", np.ones(len(ranks), dtype=bool))
    for label, mask in (everything, *kinds, *bins_of(changes)):
        if mask.any():
            record(f"{title}: Recall@1, {label}, of {int(mask.sum())}", float(np.mean(ranks[mask] <= 1)))
