"""Retrieval tasks: which networks ask, what they look among, and what they should find.

Legend: Q queries, N checkpoints, S draws of noise and order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.material import Mask, Material
from wembed.evaluate.retrieval.queries import Copies

MOST_QUERIES = 1000  # of a task; beyond, some are drawn


@dataclass(frozen=True)
class Task:
    """What is asked.

    Args:
        name: of the task.
        origins: the checkpoint that each query was made from, [Q].
        numbers: where each query stands in the draws, or in the zoo where there are none, [Q].
        relevant: the checkpoints that it should find, one at least, [Q, N].
        candidates: what it looks among, the relevant ones too, [Q, N].
        draws: the queries, once for each seed; none where the checkpoints ask as they are.
        groups: which queries are not independent of each other, by a name, [Q].
        labels: what kinds of queries each is one of, [Q].
    """

    name: str
    origins: list[int]
    numbers: NDArray[np.intp]
    relevant: Mask
    candidates: Mask
    draws: list[Copies]
    groups: NDArray[np.str_]
    labels: list[tuple[str, ...]]

    def structures(self, material: Material) -> list[str]:
        """The structure of each query, [Q]."""
        return [material.rows[place].structure for place in self.origins]

    def select(self, numbers: Sequence[int]) -> "Task":
        """Some of the queries."""
        chosen = np.array(numbers, dtype=np.intp)
        return replace(
            self,
            origins=[self.origins[number] for number in numbers],
            numbers=self.numbers[chosen],
            relevant=self.relevant[chosen],
            candidates=self.candidates[chosen],
            groups=self.groups[chosen],
            labels=[self.labels[number] for number in numbers],
        )

    def among(self, mask: Mask) -> "Task":
        """The queries that are made from some checkpoints, [N], and find one of them, among these only.

        Without those that could find nothing wrong there: these say nothing.
        """
        asks = (self.relevant & mask).any(1) & (self.candidates & ~self.relevant & mask).any(1)
        chosen = self.select(np.flatnonzero(mask[self.origins] & asks).tolist())
        return replace(chosen, relevant=chosen.relevant & mask, candidates=chosen.candidates & mask)


def chosen_queries(places: NDArray[np.intp], generator: np.random.Generator, most: int = MOST_QUERIES) -> list[int]:
    """The checkpoints that ask: all, or as many as may, in their order."""
    return [int(place) for place in np.sort(generator.permutation(places)[:most])]


def only(places: Sequence[int], count: int) -> Mask:
    """One checkpoint for each query, [Q, N]."""
    mask = np.zeros((len(places), count), dtype=bool)
    mask[np.arange(len(places)), np.array(places, dtype=np.intp)] = True
    return mask


def step_labels(material: Material, origins: Sequence[int]) -> list[tuple[str, ...]]:
    """The step of training of each query, where it is known."""
    steps = (material.rows[place].step for place in origins)
    return [() if step is None else (f"step {step}",) for step in steps]


def without_children(material: Material, origins: Sequence[int]) -> Mask:
    """All checkpoints but those that descend from a query's run, or that it descends from, [Q, N]."""
    runs, descents = material.runs, material.descents
    mask: Mask = (descents != descents[origins][:, None]) | (runs == runs[origins][:, None])
    return mask
