"""Ranks of right answers in; the rows of a retrieval task out: Recall@k, MRR, mAP, and who is ahead of whom.

Legend: Q queries, S draws.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.resampling import estimated
from wembed.evaluate.results import RecallCurve, Result
from wembed.evaluate.retrieval.ranking import Ranking, chance_of_none, chance_precision
from wembed.evaluate.retrieval.tasks import Task

DEPTHS = (1, 2, 3, 5, 10, 20, 50)  # of the curves
RECALL_DEPTHS = (1, 5, 10)
COMPARED = "retrieval"  # the task of comparing two retrievals; which one, the target says
DIFFERENCE = "recall@1_difference"
CHANCE = "chance"
LEAST_OF_KIND = 10  # queries that are worth a row of their own

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Retrieved:
    """What is found.

    Args:
        results: the rows.
        curves: Recall@k.
    """

    results: list[Result] = field(default_factory=list)
    curves: list[RecallCurve] = field(default_factory=list)

    def add(self, other: "Retrieved") -> None:
        """What is found elsewhere, behind it."""
        self.results.extend(other.results)
        self.curves.extend(other.curves)


@dataclass(frozen=True)
class Ranks:
    """Where the right answers of the queries stand.

    Args:
        first: rank of the first of them, [S, Q].
        precision: average precision, [S, Q].
    """

    first: NDArray[np.intp]
    precision: Values

    @classmethod
    def of(cls, draws: Sequence[Ranking]) -> "Ranks":
        """The draws of one task."""
        return cls(np.array([draw.first for draw in draws]), np.array([draw.precision for draw in draws]))

    def recall(self, depth: int) -> Values:
        """Whether a right answer is among the first so many, [S, Q]."""
        return (self.first <= depth).astype(np.float64)


@dataclass(frozen=True)
class RecallRows:
    """Makes the rows of one task on one split.

    Args:
        task: with one query at least.
        split: what to call them.
        seed: of the resampling that gives intervals.
    """

    task: Task
    split: str
    seed: int

    def of(self, ranks: Mapping[str, Ranks | None]) -> Retrieved:
        """All rows.

        Args:
            ranks: encoder or baseline -> where the right answers stand, None where it does not know all shapes; the
                main encoder first.
        """
        found = Retrieved()
        for name, own in ranks.items():
            found.add(self._measured(name, own) if own else self._unknown(name))
        found.results.extend(self._chance())
        main, *others = ranks
        found.results.extend(self._ahead((main, name), (ranks[main], ranks[name])) for name in others)
        return found

    def _measured(self, name: str, ranks: Ranks) -> Retrieved:
        values = {f"recall@{depth}": ranks.recall(depth) for depth in RECALL_DEPTHS}
        values |= {"mrr": 1.0 / ranks.first} | ({"map": ranks.precision} if self._find_several else {})
        rows = [self._row(name, metric, found, slice(None)) for metric, found in values.items()]
        rows += [
            self._row(name, f"recall@1 {label}", ranks.recall(1), members) for label, members in self._kinds().items()
        ]
        recalls = tuple(float(ranks.recall(depth).mean()) for depth in DEPTHS)
        return Retrieved(rows, [RecallCurve(self.task.name, name, self.split, DEPTHS, recalls)])

    def _unknown(self, name: str) -> Retrieved:
        metrics = [*(f"recall@{depth}" for depth in RECALL_DEPTHS), "mrr", *(["map"] if self._find_several else [])]
        count = len(self.task.origins)
        return Retrieved([Result(self.task.name, name, metric, None, count, self.split) for metric in metrics])

    def _chance(self) -> Iterator[Result]:
        """What a random order is expected to reach."""
        right, among = self.task.relevant.sum(1), self.task.candidates.sum(1)
        values = {f"recall@{depth}": 1.0 - chance_of_none(right, among, depth) for depth in RECALL_DEPTHS}
        values["map" if self._find_several else "mrr"] = chance_precision(right, among)
        for metric, found in values.items():
            yield Result(self.task.name, CHANCE, metric, float(found.mean()), len(right), self.split)

    def _ahead(self, names: tuple[str, str], ranks: tuple[Ranks | None, Ranks | None]) -> Result:
        """By how much more often one finds a right answer first than another, on the same queries."""
        pair, (first, second), count = "-".join(names), ranks, len(self.task.origins)
        if first is None or second is None:
            return Result(COMPARED, pair, DIFFERENCE, None, count, self.split, target=self.task.name)
        return self._row(pair, DIFFERENCE, first.recall(1) - second.recall(1), slice(None))

    def _row(self, name: str, metric: str, values: Values, members: NDArray[np.intp] | slice) -> Result:
        """A mean over some of the queries, [S, Q], with the interval of its mean over the seeds."""
        chosen, groups = values[:, members], self.task.groups[members]
        found = estimated(chosen.mean(0), groups, np.random.default_rng([self.seed, 13]))
        task, target = (COMPARED, self.task.name) if metric == DIFFERENCE else (self.task.name, "")
        return Result(
            task, name, metric, found.value, chosen.shape[1], self.split, found.error,
            low=found.low, high=found.high, seeds=len(chosen), spread=spread_of(chosen.mean(1)), target=target,
        )  # fmt: skip

    @property
    def _find_several(self) -> bool:
        return bool((self.task.relevant.sum(1) > 1).any())

    def _kinds(self) -> dict[str, NDArray[np.intp]]:
        """Label -> the queries of that kind, where they are enough; numbers in labels in their order."""
        labels = sorted({label for own in self.task.labels for label in own}, key=_in_order)
        return {
            label: np.array(members, dtype=np.intp)
            for label in labels
            if len(members := [number for number, own in enumerate(self.task.labels) if label in own]) >= LEAST_OF_KIND
        }


def spread_of(values: Values) -> float | None:
    """The standard deviation over the seeds, [S]; None for one."""
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _in_order(label: str) -> tuple[str, list[float]]:
    kind, *rest = label.split(maxsplit=1)
    return kind, [float(number) for number in re.findall(r"\d+\.?\d*", " ".join(rest))]
