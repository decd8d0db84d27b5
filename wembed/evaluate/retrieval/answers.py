"""Retrieval: what every encoder and baseline makes of a task, and what a reader must know about it.

Legend: Q queries, N checkpoints, S draws.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material, config_of
from wembed.evaluate.retrieval.ranking import ranking
from wembed.evaluate.retrieval.recall import Ranks, RecallRows, Retrieved
from wembed.evaluate.retrieval.tasks import Task

TEST = "test"


@dataclass(frozen=True)
class Answers:
    """What one encoder or baseline makes of a task.

    Args:
        gallery: its vectors of the zoo, [N].
        queries: its vectors of the queries, once for each draw, S of [Q].
    """

    gallery: Vectors
    queries: Sequence[Vectors]


def retrieval_results(
    material: Material, task: Task, answers: Mapping[str, Answers], structure: str, seed: int
) -> Retrieved:
    """Rows over all queries, then over those of one structure, where every encoder and baseline can take part.

    Args:
        material: the zoo.
        task: queries, and what they look among.
        answers: encoder or baseline -> its vectors, the main encoder first.
        structure: of the one shape.
        seed: of the resampling that gives intervals.
    """
    found = Retrieved()
    for split, mask in splits_of(material, structure).items():
        part = task.among(mask)
        if part.origins:
            ranks = {name: ranks_of(part, own) for name, own in answers.items()}
            found.add(RecallRows(part, split, seed).of(ranks))
    return found


def ranks_of(task: Task, answers: Answers) -> Ranks | None:
    """Where the right answers stand; None where a query or a candidate has no vector."""
    gallery, numbers = answers.gallery, task.numbers
    if not gallery.known[task.candidates.any(0)].all():
        return None
    if not all(queries.known[numbers].all() for queries in answers.queries):
        return None
    scores = (queries.values[numbers] @ gallery.values.T for queries in answers.queries)  # [Q, N] of unit vectors
    return Ranks.of([ranking(own, task.relevant, task.candidates) for own in scores])


def strangers_facts(material: Material, task: Task) -> dict[str, object]:
    """How many checkpoints of a query's configuration, but of other runs, it looks among."""
    if not task.origins:
        return {"queries": 0}
    configs, runs = material.configs, material.runs
    alike = (configs == configs[task.origins][:, None]) & (runs != runs[task.origins][:, None])
    found = (task.candidates & alike).sum(1)
    return {
        "queries": len(found),
        "gallery": int(np.median(task.candidates.sum(1))),
        "strangers of the same configuration per query, least": int(found.min()),
        "strangers of the same configuration per query, median": float(np.median(found)),
    }


def shape_with_most_queries(material: Material, structures: Sequence[str]) -> str:
    """The structure that an encoder of one shape knows, if it is tested on, else the one with most test checkpoints."""
    side = material.side("test")
    found = Counter(row.structure for row, is_test in zip(material.rows, side, strict=True) if is_test)
    tested = [structure for structure in structures if structure in found]
    return tested[0] if tested else max(sorted(found), key=lambda structure: found[structure], default="")


def splits_of(material: Material, structure: str) -> Mapping[str, Mask]:
    """What the whole zoo and its checkpoints of one structure are called -> which they are, [N]."""
    of_shape = material.where(lambda row: row.structure == structure)
    return {TEST: np.ones(len(of_shape), dtype=bool), f"{TEST}:{label_of(material, structure)}": of_shape}


def label_of(material: Material, structure: str) -> str:
    """The configurations of a structure, joined."""
    return "+".join(sorted({config_of(row) for row in material.rows if row.structure == structure}))
