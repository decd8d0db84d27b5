"""Retrieval: does a disguised network find where it comes from, among strangers of its own configuration?

retrieval-noised: a test checkpoint with 5 % weight noise looks for its original among all checkpoints of the zoo.
retrieval-snapshot: an earlier snapshot of a test run looks for the run's last one among the last ones of all runs.
Every query is permuted and rescaled. What ties with the right answer stands before it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed import metrics
from wembed.encoder import Item
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material, config_of, strangers
from wembed.evaluate.queries import disguised, noised
from wembed.evaluate.results import Result

RECALL_DEPTHS = (1, 5, 10)
TEST = "test"


@dataclass(frozen=True)
class Task:
    """Queries and where they look; Q queries, N checkpoints.

    Args:
        name: of the task.
        origins: the checkpoint that each query was made from, [Q].
        relevant: the checkpoint that it should find, [Q].
        gallery: which checkpoints it looks among, [N].
        items: the queries.
    """

    name: str
    origins: list[int]
    relevant: list[int]
    gallery: Mask
    items: list[Item]

    def structures(self, material: Material) -> list[str]:
        """The structure of each query, [Q]."""
        return [material.rows[place].structure for place in self.origins]


@dataclass(frozen=True)
class Answers:
    """What one encoder or baseline makes of the gallery and of a task's queries."""

    gallery: Vectors
    queries: Vectors


def noised_task(material: Material, seed: int) -> Task:
    """Copies of all test checkpoints with weight noise; the gallery is the whole zoo."""
    generator = np.random.default_rng([seed, 1])
    origins = np.flatnonzero(material.side("test")).tolist()
    items = [noised(material.items[place], generator) for place in origins]
    return Task("retrieval-noised", origins, origins, np.ones(len(material.rows), dtype=bool), items)


def snapshot_task(material: Material, seed: int) -> Task:
    """All but the last snapshots of test runs; the gallery is the last ones of all runs."""
    generator = np.random.default_rng([seed, 2])
    finals, runs = material.finals(), material.runs
    last = {runs[place]: int(place) for place in np.flatnonzero(finals)}
    origins = np.flatnonzero(material.side("test") & ~finals).tolist()
    items = [disguised(material.items[place], generator) for place in origins]
    return Task("retrieval-snapshot", origins, [last[runs[place]] for place in origins], finals, items)


def retrieval_results(
    material: Material, task: Task, answers: Mapping[str, Answers], structure: str, label: str
) -> Iterator[Result]:
    """Rows over all queries, then over those of one structure, where every encoder and baseline can take part.

    Args:
        material: the zoo.
        task: queries and gallery.
        answers: encoder or baseline -> its vectors.
        structure: of the one shape.
        label: what to call it.
    """
    of_shape = material.where(lambda row: row.structure == structure)  # [N]
    everything = np.ones(len(material.rows), dtype=bool)
    for split, mask in ((TEST, everything), (f"{TEST}:{label}", of_shape)):
        chosen = [number for number, place in enumerate(task.origins) if mask[place]]
        for name, vectors in answers.items():
            yield from _rows(material, task, name, vectors, chosen, mask & task.gallery, split)


def strangers_facts(material: Material, task: Task) -> dict[str, object]:
    """How many checkpoints of a query's configuration, but of other runs, stand in the gallery."""
    found = strangers(material, task.origins, task.gallery)
    if not found:
        return {"queries": 0}
    return {
        "queries": len(found),
        "gallery": int(task.gallery.sum()),
        "strangers of the same configuration per query, least": min(found),
        "strangers of the same configuration per query, median": float(np.median(found)),
    }


def shape_with_most_queries(material: Material, structures: Sequence[str]) -> str:
    """The structure that an encoder of one shape knows, if it is tested on, else the one with most test checkpoints."""
    side = material.side("test")
    found = Counter(row.structure for row, is_test in zip(material.rows, side, strict=True) if is_test)
    tested = [structure for structure in structures if structure in found]
    return tested[0] if tested else max(sorted(found), key=lambda structure: found[structure], default="")


def label_of(material: Material, structure: str) -> str:
    """The configurations of a structure, joined."""
    return "+".join(sorted({config_of(row) for row in material.rows if row.structure == structure}))


def _rows(
    material: Material, task: Task, name: str, answers: Answers, chosen: list[int], gallery: Mask, split: str
) -> Iterator[Result]:
    count = len(chosen)
    if not count:
        return
    if not (answers.queries.known[chosen].all() and answers.gallery.known[gallery].all()):
        for metric in (*(f"recall@{depth}" for depth in RECALL_DEPTHS), "mrr"):
            yield Result(task.name, name, metric, None, count, split)
        return
    ranks = _ranks(task, answers, chosen, gallery)
    runs = material.runs[[task.origins[number] for number in chosen]]
    for depth in RECALL_DEPTHS:
        error = metrics.grouped_standard_error((ranks <= depth).astype(np.float64), runs)
        yield Result(task.name, name, f"recall@{depth}", metrics.recall_at(ranks, depth), count, split, error)
    error = metrics.grouped_standard_error(1.0 / ranks, runs)
    yield Result(task.name, name, "mrr", metrics.mean_reciprocal_rank(ranks), count, split, error)
    steps = [material.rows[task.origins[number]].step for number in chosen]
    for step in sorted({step for step in steps if step is not None}):
        of_step = ranks[[step == each for each in steps]]
        yield Result(task.name, name, f"recall@1 step {step}", metrics.recall_at(of_step, 1), len(of_step), split)


def _ranks(task: Task, answers: Answers, chosen: list[int], gallery: Mask) -> NDArray[np.intp]:
    places = np.flatnonzero(gallery)
    column = {int(place): number for number, place in enumerate(places)}
    scores = answers.queries.values[chosen] @ answers.gallery.values[places].T  # [Q, gallery], unit vectors
    return metrics.ranks(scores, np.array([column[task.relevant[number]] for number in chosen]))
