"""What a merged network is measured against: its endpoints, plain averages, and noise in place of the merge.

Noise has the length of the step that it stands for, tensor by tensor, and no direction: what it loses, any step of that
length would. It gets all that the step gets: where data chose how far to go, and renewed the result, it does so again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wembed.encoder import Item
from wembed.merging.aligned import unaligned
from wembed.merging.combine import Merged
from wembed.merging.embedding import Steered
from wembed.merging.matching.search import compared
from wembed.merging.path import repairable, scores_of
from wembed.merging.repair import renewed
from wembed.merging.statistics import with_statistics
from wembed.merging.tensors import Tensors, as_checkpoint
from wembed.models import Dataset, Scores, load_module, score


@dataclass(frozen=True)
class Controls:
    """Scores on held-out inputs; batch-norm statistics are recomputed in all but the endpoints.

    Args:
        endpoints: the networks as they are in their files.
        naive: the plain average of the files.
        naive_repaired: the same, its units repaired as those of the matched one are.
        aligned: the average after matching, its units repaired.
        merged: what was made.
        noised_endpoint: the first endpoint, moved as far as the aligned average is from it, in a random direction.
        noised_average: a merge by embedding with a random direction in the place of the found one, as long, from the
            same average; None for all other merges.
    """

    endpoints: tuple[Scores, ...]
    naive: Scores
    naive_repaired: Scores
    aligned: Scores
    merged: Scores
    noised_endpoint: Scores
    noised_average: Scores | None


def score_controls(items: Sequence[Item], merged: Merged, dataset: Dataset, seed: int = 0) -> Controls:
    """A merged network beside its controls.

    Args:
        items: what it was made of.
        merged: what was made; with the same data set, where there are batch norms, since its scales depend on it.
        dataset: its training inputs give statistics, its held-out ones scores.
        seed: of the noise.
    """
    aligned, like = merged.aligned, items[0][0]
    generator = np.random.default_rng(seed)
    average = renewed(aligned, merged.weights, aligned.average(merged.weights), like, dataset)
    naive = unaligned([checkpoint for checkpoint, _ in items], aligned.spec)

    def reach(tensors: Tensors) -> Scores:
        fresh = with_statistics(tensors, aligned.spec, like, dataset.train_inputs)
        return score(load_module(as_checkpoint(fresh, like)), dataset.test_inputs, dataset.test_labels)

    names = compared(aligned.spec)
    return Controls(
        endpoints=tuple(
            score(load_module(checkpoint), dataset.test_inputs, dataset.test_labels) for checkpoint, _ in items
        ),
        naive=reach(naive.average(merged.weights)),
        naive_repaired=scores_of(repairable(naive), merged.weights, like, dataset),
        aligned=reach(average),
        merged=reach(merged.common),
        noised_endpoint=reach(_noised(aligned.networks[0], average, names, generator)),
        noised_average=reach(undirected(merged, generator).common) if isinstance(merged, Steered) else None,
    )


def undirected(merged: Steered, generator: np.random.Generator) -> Steered:
    """The same merge after a search that went as far from the same average, in a random direction."""
    start = merged.average.common
    end = _noised(start, merged.end, compared(merged.aligned.spec), generator)
    return Steered.towards(merged.average, end, merged.like, merged.dataset)


def _noised(start: Tensors, end: Tensors, names: Sequence[str], generator: np.random.Generator) -> Tensors:
    """The start moved as far as the end is from it, tensor by tensor, in a random direction."""
    moved = dict(start)
    for name in names:
        noise = generator.normal(size=start[name].shape)
        length = np.linalg.norm(noise) or 1.0
        moved[name] = start[name] + noise * (np.linalg.norm(end[name] - start[name]) / length)
    return moved
