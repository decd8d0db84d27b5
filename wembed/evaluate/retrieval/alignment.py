"""Pairwise alignment, the upper baseline: every query is matched, neuron by neuron, with every candidate.

Both networks are brought to common scales, the candidate's neurons to the order of the query's by weight matching, and
their likeness is the cosine of what is left. That takes milliseconds a pair, where embeddings take microseconds: it is
done for some queries of one shape, each among a few candidates, and all encoders are measured on the same ones.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from wembed.encoder import Item
from wembed.evaluate.material import Material
from wembed.evaluate.retrieval.answers import TEST, Answers, label_of, ranks_of
from wembed.evaluate.retrieval.copies import SNAPSHOT
from wembed.evaluate.retrieval.lineage import LINEAGE
from wembed.evaluate.retrieval.ranking import ranking
from wembed.evaluate.retrieval.recall import Ranks, RecallRows, Retrieved
from wembed.evaluate.retrieval.tasks import Task, chosen_queries
from wembed.merging.gauge import scale_action
from wembed.merging.matching.search import compared, match
from wembed.merging.tensors import Tensors, acted, tensors_of
from wembed.symmetry import SymmetrySpec

ALIGNMENT = "alignment"
ALIGNED = (SNAPSHOT, LINEAGE)  # tasks; noise alone hides nothing from alignment
QUERIES = 30
CANDIDATES = 24  # of each query, the right ones among them
_MOST_PARAMETERS = 100_000  # of a network that is matched so often


def alignment_results(
    material: Material, task: Task, answers: Mapping[str, Answers], structure: str, seed: int
) -> Retrieved:
    """Rows of alignment, and of all encoders and baselines on the same queries and candidates.

    Args:
        material: the zoo.
        task: queries, and what they look among.
        answers: encoder or baseline -> its vectors, the main encoder first.
        structure: of the one shape.
        seed: of the choice, of matching, and of the resampling that gives intervals.
    """
    generator = np.random.default_rng([seed, 19])
    few = _few(task.among(material.where(lambda row: row.structure == structure)), generator)
    if not few.origins or not _can_match(material.items[few.origins[0]]):
        return Retrieved()
    ranks = {name: ranks_of(few, own) for name, own in answers.items()}
    ranks[ALIGNMENT] = _aligned(material, few, generator)
    split = f"{TEST}:{label_of(material, structure)}/{len(few.origins)}"
    return RecallRows(few, split, seed).of(ranks)


def _few(task: Task, generator: np.random.Generator) -> Task:
    """Some queries, each with its right answers and some of the other candidates."""
    task = task.select(chosen_queries(np.arange(len(task.origins)), generator, QUERIES))
    few = np.array(task.candidates)
    for own, right in zip(few, task.relevant, strict=True):
        others = generator.permutation(np.flatnonzero(own & ~right))
        own[others[max(0, CANDIDATES - int(right.sum())) :]] = False
    return replace(task, candidates=few)


def _can_match(item: Item) -> bool:
    checkpoint, spec = item
    return checkpoint.parameters <= _MOST_PARAMETERS and not spec.stacks


def _aligned(material: Material, task: Task, generator: np.random.Generator) -> Ranks:
    """Where alignment puts the right answers; of the first draw of every query."""
    gallery = {int(place): _in_common_scales(material.items[place]) for place in np.flatnonzero(task.candidates.any(0))}
    scores = np.full(task.candidates.shape, -np.inf)
    for own, number, candidates in zip(scores, task.numbers, task.candidates, strict=True):
        item = task.draws[0][number]
        query = _in_common_scales(item)
        for place in np.flatnonzero(candidates).tolist():
            own[place] = _likeness(query, gallery[place], item[1], generator)
    return Ranks.of([ranking(scores, task.relevant, task.candidates)])


def _in_common_scales(item: Item) -> Tensors:
    checkpoint, spec = item
    return acted(scale_action(checkpoint, spec), spec, tensors_of(checkpoint, spec))


def _likeness(query: Tensors, candidate: Tensors, spec: SymmetrySpec, generator: np.random.Generator) -> float:
    """The cosine of all weights that matching compares, after it."""
    moved = acted(match(query, candidate, spec, generator), spec, candidate)
    first, second = (np.concatenate([each[name].ravel() for name in compared(spec)]) for each in (query, moved))
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second) or 1.0))
