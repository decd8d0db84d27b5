"""Merging: what networks half-way between two held-out ones reach, beside their endpoints and beside chance.

Pairs are the last snapshots of test runs of one configuration and different families. Rows of all pairs come first,
then those of every configuration, split test:LABEL. Merging by embedding takes long: it is done for the pairs of the
commonest configuration, all at once, beside the other methods on the same pairs.

`aligned` has the help of training inputs: they choose between matches, swap units, and say how far to repair. Beside it
stand plain averages that are repaired alike, and matching by weights alone, without swaps or repair. Batch-norm
statistics are recomputed in all averages.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.encoder import Encoder, Item
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError
from wembed.evaluate.material import Material, config_of, run_of
from wembed.evaluate.resampling import draw_pairs, estimated_by, pair_means
from wembed.evaluate.results import Curve, Result
from wembed.merging import (
    Controls,
    Merged,
    MergeOptions,
    PathCurve,
    check_dataset,
    merge,
    path_of,
    score_controls,
)
from wembed.merging.embedding import merge_each_by_embedding
from wembed.merging.ensemble import ensemble_scores
from wembed.merging.statistics import with_statistics
from wembed.merging.tensors import as_checkpoint
from wembed.models import Scores, load_dataset, load_module, score
from wembed.models.data import DATASETS
from wembed.zoo import Progress

TASK = "merging"
EMBEDDING = "embedding"  # the method that goes by an encoder
REPAIRED = "naive, repaired"  # the plain average, its units repaired
BY_WEIGHTS = "matched by weights"  # no data but for batch-norm statistics
POINTS = 9  # of a path: an odd number has the middle among them
_MAIN_PAIRS = 30  # of the commonest configuration
_OTHER_PAIRS = 4


@dataclass(frozen=True)
class Pair:
    """Two last snapshots of one configuration, and what lies between them.

    Args:
        label: the configuration.
        first: place in the zoo.
        second: place in the zoo.
        path: accuracy and loss along the line.
        controls: what is half-way, and what it is measured against.
        by_weights: what is half-way after matching without data.
        ensemble: what the mean of both networks' answers reaches.
        is_embedded: whether it was merged by embedding, too.
    """

    label: str
    first: int
    second: int
    path: PathCurve
    controls: Controls
    by_weights: Scores
    ensemble: Scores
    is_embedded: bool


_AVERAGES: Mapping[str, Callable[[Pair], Scores]] = {
    "naive": lambda pair: pair.controls.naive,
    REPAIRED: lambda pair: pair.controls.naive_repaired,
    BY_WEIGHTS: lambda pair: pair.by_weights,
    "aligned": lambda pair: pair.controls.aligned,
}


def merged_pairs(material: Material, encoder: Encoder, seed: int, progress: Progress) -> list[Pair]:
    """Merges pairs of test runs that did not diverge and whose data set is at hand.

    Args:
        material: the zoo.
        encoder: which merging by embedding goes by, if gradients pass it.
        seed: of the choice and of matching.
        progress: told after every pair.
    """
    found: list[Pair] = []
    groups = _chosen(material, seed)
    total = sum(map(len, groups))
    for number, places in enumerate(groups):
        options = MergeOptions(t=0.5, dataset=load_dataset(material.rows[places[0][0]].dataset or ""), seed=seed)
        pairs = [[material.items[place] for place in pair] for pair in places]
        steered = _steered(pairs, options, encoder) if number == 0 else []
        for ends, one in zip(places, steered or [merge(pair, options) for pair in pairs], strict=True):
            found.append(_measured(material, ends, one, options, bool(steered)))
            progress(len(found), total)
    return found


def _steered(pairs: Sequence[Sequence[Item]], options: MergeOptions, encoder: Encoder) -> list[Merged]:
    """Pairs of one configuration merged by embedding; none where encoder or networks are of a kind that can't be."""
    if not lets_gradients_through(encoder):
        return []
    try:
        return merge_each_by_embedding(pairs, options, encoder)
    except CheckpointRefusedError:
        return []


def _measured(
    material: Material, ends: tuple[int, int], merged: Merged, options: MergeOptions, is_embedded: bool
) -> Pair:
    """What lies between two networks, and what it is measured against."""
    assert options.dataset is not None  # pairs of no known data set are not chosen
    items, label = [material.items[place] for place in ends], config_of(material.rows[ends[0]])
    path = path_of(items, merged.aligned, options.dataset, POINTS)
    controls = score_controls(items, merged, options.dataset, options.seed)
    by_weights = reached_by_weights(items, options)
    ensemble = ensemble_scores([checkpoint for checkpoint, _ in items], options.dataset)
    return Pair(label, *ends, path, controls, by_weights, ensemble, is_embedded)


def reached_by_weights(items: Sequence[Item], options: MergeOptions) -> Scores:
    """What a merge reaches that knows no data, after its batch-norm statistics are recomputed."""
    assert options.dataset is not None
    merged, like = merge(items, replace(options, dataset=None)), items[0][0]
    fresh = with_statistics(merged.common, merged.aligned.spec, like, options.dataset.train_inputs)
    return score(load_module(as_checkpoint(fresh, like)), options.dataset.test_inputs, options.dataset.test_labels)


def lets_gradients_through(encoder: Encoder) -> bool:
    """Whether merging by embedding can go by an encoder."""
    from wembed.encoder.gnn import Gnn

    return isinstance(encoder, Gnn)


def merging_results(material: Material, pairs: Sequence[Pair], seed: int = 0) -> Iterator[Result]:
    """Rows over all pairs, then over those of each configuration.

    Args:
        material: the zoo.
        pairs: that were merged.
        seed: of the resampling that gives intervals.
    """
    yield from _rows(material, pairs, "test", seed)
    for label in dict.fromkeys(pair.label for pair in pairs):
        yield from _rows(material, [pair for pair in pairs if pair.label == label], f"test:{label}", seed)


def curves(material: Material, pairs: Sequence[Pair]) -> list[Curve]:
    """The paths, as the figures want them."""
    return [
        Curve(
            material.rows[pair.first].id,
            material.rows[pair.second].id,
            pair.label,
            tuple(point.t for point in pair.path.points),
            {
                "naive": tuple(point.naive_accuracy for point in pair.path.points),
                "aligned": tuple(point.aligned_accuracy for point in pair.path.points),
            },
            {
                "naive": tuple(point.naive_loss for point in pair.path.points),
                "aligned": tuple(point.aligned_loss for point in pair.path.points),
            },
        )
        for pair in pairs
    ]


def _chosen(material: Material, seed: int) -> list[list[tuple[int, int]]]:
    """The pairs of each configuration, that of most checkpoints in the zoo first, whatever the split made of it."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    usable = material.side("test") & material.finals() & material.where(lambda row: row.status is None)
    for place in np.flatnonzero(usable).tolist():
        row, (checkpoint, spec) = material.rows[place], material.items[place]
        if row.dataset in DATASETS and _is_runnable(checkpoint, row.dataset):
            groups[config_of(row), spec.hash].append(place)
    generator = np.random.default_rng([seed, 6])
    chosen: list[list[tuple[int, int]]] = []
    sizes = Counter(config_of(row) for row in material.rows)
    for key in sorted(groups, key=lambda key: (-sizes[key[0]], key)):
        places = sorted(groups[key], key=lambda place: run_of(material.rows[place]))
        possible = [pair for pair in itertools.combinations(places, 2) if _are_strangers(material, pair)]
        most = _OTHER_PAIRS if chosen else _MAIN_PAIRS
        if possible:
            chosen.append([possible[number] for number in sorted(generator.permutation(len(possible))[:most])])
    return chosen


def _are_strangers(material: Material, pair: tuple[int, int]) -> bool:
    """Whether two networks are of two families: relatives lie in one basin, which is no merit of matching."""
    first, second = material.families[list(pair)]
    return bool(first != second)


def _is_runnable(checkpoint: Checkpoint, dataset: str) -> bool:
    """Whether a file says how to run it, on such inputs; one that does not is no reason to stop."""
    try:
        check_dataset(checkpoint, load_dataset(dataset))
    except (CheckpointRefusedError, NotFoundError, UsageError):
        return False
    return True


def _rows(material: Material, pairs: Sequence[Pair], split: str, seed: int) -> Iterator[Result]:
    if not pairs:
        return
    ends_of = material.families[[[pair.first, pair.second] for pair in pairs]]  # [P, 2]
    drawn = draw_pairs(ends_of, np.random.default_rng([seed, 20]))

    def row(encoder: str, metric: str, values: Sequence[float]) -> Result:
        return told(encoder, metric, pair_means(np.array(values), drawn))

    def told(encoder: str, metric: str, table: NDArray[np.float64]) -> Result:
        found = estimated_by(table)
        return Result(
            TASK, encoder, metric, found.value, len(pairs), split, found.error, low=found.low, high=found.high
        )

    ends = [[score.accuracy for score in pair.controls.endpoints] for pair in pairs]
    yield row("endpoints", "midpoint_accuracy", [sum(pair) / 2 for pair in ends])
    yield row("endpoints", "lower_accuracy", [min(pair) for pair in ends])
    yield row("ensemble", "midpoint_accuracy", [pair.ensemble.accuracy for pair in pairs])
    for name, accuracies in _midpoints(pairs).items():
        yield row(name, "midpoint_accuracy", accuracies)
    barriers = {name: _barriers(pairs, name) for name in _AVERAGES}
    for name, values in barriers.items():
        yield row(name, "loss_barrier", values)
    # A line that dips below the mean of its ends has no barrier, not a negative one that others could be set off by.
    above = {name: pair_means(np.maximum(values, 0.0), drawn) for name, values in barriers.items()}
    naive = above.pop("naive")
    for name, left in above.items():
        yield told(name, "barrier_removed", 1.0 - np.where(naive > 0, left / np.where(naive > 0, naive, 1.0), np.nan))


def _midpoints(pairs: Sequence[Pair]) -> Mapping[str, list[float]]:
    """The accuracy half-way, by method."""
    found = {name: [of(pair).accuracy for pair in pairs] for name, of in _AVERAGES.items()}
    found["noise"] = [pair.controls.noised_endpoint.accuracy for pair in pairs]
    if all(pair.is_embedded for pair in pairs):
        found[EMBEDDING] = [pair.controls.merged.accuracy for pair in pairs]
        steps = [pair.controls.noised_average or pair.controls.aligned for pair in pairs]
        found["aligned, as much noise as embedding moves"] = [step.accuracy for step in steps]
    return found


def _barriers(pairs: Sequence[Pair], name: str) -> list[float]:
    """The excess of the loss half-way over the mean of the endpoints' losses."""
    found = []
    for pair in pairs:
        ends = [score.loss for score in pair.controls.endpoints]
        found.append(_AVERAGES[name](pair).loss - sum(ends) / len(ends))
    return found
