"""Merging: what networks half-way between two held-out ones reach, beside their endpoints and beside chance.

Pairs are the last snapshots of test runs of one configuration and different families. Rows of all pairs come first,
then those of every configuration, split test:LABEL. Merging by embedding takes long: it is done for some pairs of one
configuration, split test:LABEL/N, beside the other methods on the same N pairs.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.encoder import Encoder
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError
from wembed.evaluate.material import Material, config_of, run_of
from wembed.evaluate.resampling import draw_pairs, estimated_by, pair_means
from wembed.evaluate.results import Curve, Result
from wembed.merging import (
    Controls,
    MergeOptions,
    PathCurve,
    check_dataset,
    merge,
    merge_by_embedding,
    path_of,
    score_controls,
)
from wembed.models import Dataset, load_dataset
from wembed.models.data import DATASETS
from wembed.zoo import Progress

TASK = "merging"
EMBEDDING = "embedding"  # the method that goes by an encoder
POINTS = 11
_MAIN_PAIRS = 24  # of the commonest configuration
_OTHER_PAIRS = 6
_EMBEDDED_PAIRS = 8


@dataclass(frozen=True)
class Pair:
    """Two last snapshots of one configuration, and what lies between them.

    Args:
        label: the configuration.
        first: place in the zoo.
        second: place in the zoo.
        path: accuracy and loss along the line.
        controls: what is half-way, and what it is measured against.
        is_embedded: whether it was merged by embedding, too.
    """

    label: str
    first: int
    second: int
    path: PathCurve
    controls: Controls
    is_embedded: bool


def merged_pairs(material: Material, encoder: Encoder, seed: int, progress: Progress) -> list[Pair]:
    """Merges pairs of test runs that did not diverge and whose data set is at hand.

    Args:
        material: the zoo.
        encoder: which merging by embedding goes by, if gradients pass it.
        seed: of the choice and of matching.
        progress: told after every pair.
    """
    data: dict[str, Dataset] = {}
    chosen, found = _chosen(material, seed), []
    for number, (first, second) in enumerate(chosen, start=1):
        name = material.rows[first].dataset or ""
        data[name] = data.get(name) or load_dataset(name)
        items = [material.items[first], material.items[second]]
        options = MergeOptions(t=0.5, dataset=data[name], seed=seed)
        is_embedded = number <= _EMBEDDED_PAIRS and lets_gradients_through(encoder)
        merged = merge_by_embedding(items, options, encoder) if is_embedded else merge(items, options)
        path = path_of(items, merged.aligned, data[name], POINTS)
        controls = score_controls(items, merged, data[name], seed)
        found.append(Pair(config_of(material.rows[first]), first, second, path, controls, is_embedded))
        progress(number, len(chosen))
    return found


def lets_gradients_through(encoder: Encoder) -> bool:
    """Whether merging by embedding can go by an encoder."""
    from wembed.encoder.gnn import Gnn

    return isinstance(encoder, Gnn)


def merging_results(material: Material, pairs: Sequence[Pair], seed: int = 0) -> Iterator[Result]:
    """Rows over all pairs, over those of each configuration, and over those that were merged by embedding.

    Args:
        material: the zoo.
        pairs: that were merged.
        seed: of the resampling that gives intervals.
    """
    yield from _rows(material, pairs, "test", seed)
    for label in dict.fromkeys(pair.label for pair in pairs):
        yield from _rows(material, [pair for pair in pairs if pair.label == label], f"test:{label}", seed)
    for label in dict.fromkeys(pair.label for pair in pairs if pair.is_embedded):
        part = [pair for pair in pairs if pair.is_embedded and pair.label == label]
        yield from _rows(material, part, f"test:{label}/{len(part)}", seed)


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


def _chosen(material: Material, seed: int) -> list[tuple[int, int]]:
    """The pairs, those of the zoo's commonest configuration first, whatever the split made of it."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    usable = material.side("test") & material.finals() & material.where(lambda row: row.status is None)
    for place in np.flatnonzero(usable).tolist():
        row, (checkpoint, spec) = material.rows[place], material.items[place]
        if row.dataset in DATASETS and _is_runnable(checkpoint, row.dataset):
            groups[config_of(row), spec.hash].append(place)
    generator = np.random.default_rng([seed, 6])
    pairs: list[tuple[int, int]] = []
    sizes = Counter(config_of(row) for row in material.rows)
    for key in sorted(groups, key=lambda key: (-sizes[key[0]], key)):
        places = sorted(groups[key], key=lambda place: run_of(material.rows[place]))
        possible = [pair for pair in itertools.combinations(places, 2) if _are_strangers(material, pair)]
        most = _OTHER_PAIRS if pairs else _MAIN_PAIRS
        pairs += [possible[number] for number in sorted(generator.permutation(len(possible))[:most])]
    return pairs


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
    for name, accuracies in _midpoints(pairs).items():
        yield row(name, "midpoint_accuracy", accuracies)
    barriers = {name: _barriers(pairs, name) for name in ("naive", "aligned")}
    for name, values in barriers.items():
        yield row(name, "loss_barrier", values)
    # A line that dips below the mean of its ends has no barrier, not a negative one that others could be set off by.
    naive, aligned = (pair_means(np.maximum(barriers[name], 0.0), drawn) for name in ("naive", "aligned"))
    removed = 1.0 - np.where(naive > 0, aligned / np.where(naive > 0, naive, 1.0), np.nan)
    yield told("aligned", "barrier_removed", removed)


def _midpoints(pairs: Sequence[Pair]) -> Mapping[str, list[float]]:
    """The accuracy half-way, by method."""
    found = {
        "naive": [pair.controls.naive.accuracy for pair in pairs],
        "aligned": [pair.controls.aligned.accuracy for pair in pairs],
        "noise": [pair.controls.noised_endpoint.accuracy for pair in pairs],
    }
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
        found.append(getattr(pair.controls, name).loss - sum(ends) / len(ends))
    return found
