"""Robustness: is a network still found after pruning, noise and rounding, and how far does its embedding move?

Damaged copies of last snapshots of test runs, permuted and rescaled, look for their originals among the checkpoints of
the zoo, without children of their runs. How far an embedding moves is told as a share of the distance to the nearest
stranger: at 1, it is as far off.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.material import Mask, Material
from wembed.evaluate.resampling import estimated
from wembed.evaluate.results import Result
from wembed.evaluate.retrieval.answers import Answers, ranks_of
from wembed.evaluate.retrieval.queries import Copies, spoiled
from wembed.evaluate.retrieval.recall import spread_of
from wembed.evaluate.retrieval.tasks import Task, only, without_children
from wembed.evaluate.stability.damage import DAMAGES, RANDOM
from wembed.evaluate.stability.nearness import distances, nearest_strangers, sampled

TASK = "robustness"
SAMPLE = 60
_HIGH = 0.99  # quantile of what moves far


@dataclass(frozen=True)
class Damaged:
    """The copies of one damage.

    Args:
        kind: of `DAMAGES`.
        task: they look for their originals, once for each seed where the damage is random.
    """

    kind: str
    task: Task


def damaged_tasks(material: Material, seeds: Sequence[int]) -> list[Damaged]:
    """The copies of every damage, of the same checkpoints."""
    origins = sampled(material, SAMPLE, np.random.default_rng([seeds[0], 16]))
    if not origins:
        return []
    count, numbers = len(material.rows), np.arange(len(origins))
    candidates = without_children(material, origins)
    groups = material.families[origins]
    like = Task(TASK, origins, numbers, only(origins, count), candidates, [], groups, [()] * len(origins))
    return [
        Damaged(kind, replace(like, draws=[_copies(material, origins, kind, seed) for seed in _seeds(kind, seeds)]))
        for kind in DAMAGES
    ]


def robustness_results(
    material: Material, damaged: Damaged, answers: Mapping[str, Answers], splits: Mapping[str, Mask], seed: int
) -> Iterator[Result]:
    """The rows of one damage.

    Args:
        material: the zoo.
        damaged: the copies.
        answers: encoder or baseline -> its vectors.
        splits: what to call a part of the zoo -> which checkpoints it holds, [N].
        seed: of the resampling that gives intervals.
    """
    for split, mask in splits.items():
        task = damaged.task.among(mask)
        for name, own in answers.items() if task.origins else ():
            yield from _rows(material, replace(damaged, task=task), name, own, (split, seed))


def _seeds(kind: str, seeds: Sequence[int]) -> Sequence[int]:
    return seeds if kind in RANDOM else seeds[:1]


def _copies(material: Material, origins: Sequence[int], kind: str, seed: int) -> Copies:
    return Copies([material.items[place] for place in origins], spoiled(kind), (seed, 17, list(DAMAGES).index(kind)))


def _rows(material: Material, damaged: Damaged, name: str, answers: Answers, said: tuple[str, int]) -> Iterator[Result]:
    kind, task, (split, seed) = damaged.kind, damaged.task, said
    count, metrics = len(task.origins), [f"{metric} {kind}" for metric in ("recall@1", "moved", "moved_q99")]
    ranks = ranks_of(task, answers)
    if ranks is None:
        yield from (Result(TASK, name, metric, None, count, split) for metric in metrics)
        return
    recalls = ranks.recall(1)
    found = estimated(recalls.mean(0), task.groups, np.random.default_rng([seed, 18]))
    draws, spread = len(recalls), spread_of(recalls.mean(1))
    yield Result(
        TASK, name, metrics[0], found.value, count, split, found.error,
        low=found.low, high=found.high, seeds=draws, spread=spread,
    )  # fmt: skip
    shares = _shares(material, task, answers)
    for metric, part in zip(metrics[1:], (0.5, _HIGH), strict=True):
        value = float(np.quantile(shares, part)) if len(shares) else None
        yield Result(TASK, name, metric, value, len(shares), split, seeds=draws)


def _shares(material: Material, task: Task, answers: Answers) -> NDArray[np.float64]:
    """How far each embedding moves, over its distance to the nearest stranger; without those that have none."""
    strangers = nearest_strangers(material, answers.gallery, task.origins)
    own = answers.gallery.values[task.origins]
    moved = np.mean([distances(own, queries.values[task.numbers]) for queries in answers.queries], axis=0)
    known = strangers > 0
    return np.asarray(moved[known] / strangers[known])
