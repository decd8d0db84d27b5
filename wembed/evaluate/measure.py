"""What a zoo's encoders are asked, and the rows of their answers: retrieval, invariance and robustness.

The questions are made before anything is embedded, so that the work can be told; their networks when they are needed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wembed.evaluate.embedded import Embedded
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.results import Result
from wembed.evaluate.retrieval.alignment import ALIGNED, alignment_results
from wembed.evaluate.retrieval.alike import alike_tasks
from wembed.evaluate.retrieval.answers import retrieval_results, splits_of
from wembed.evaluate.retrieval.copies import noised_task, snapshot_task
from wembed.evaluate.retrieval.lineage import LINEAGE, lineage_tasks
from wembed.evaluate.retrieval.queries import Copies
from wembed.evaluate.retrieval.recall import Retrieved
from wembed.evaluate.retrieval.tasks import Task
from wembed.evaluate.stability import invariance, robustness
from wembed.evaluate.stability.steadiness import Steadiness


@dataclass(frozen=True)
class Asked:
    """All questions of an evaluation.

    Args:
        retrieval: groups of tasks; those of one group have the same queries.
        copied: the checkpoints that are looked at for invariance.
        copies: of these, permuted and rescaled.
        damaged: copies that were pruned, noised or rounded.
        seed: of the resampling and of what is chosen later.
    """

    retrieval: list[list[Task]]
    copied: list[int]
    copies: Copies
    damaged: list[robustness.Damaged]
    seed: int

    @property
    def tasks(self) -> list[Task]:
        """The retrieval tasks."""
        return [task for group in self.retrieval for task in group]

    @property
    def size(self) -> int:
        """How many networks are to be embedded, those of the zoo left out."""
        draws = [*(group[0].draws for group in self.retrieval), *(each.task.draws for each in self.damaged)]
        return sum(len(copies) for found in draws for copies in found) + len(self.copies)


def asked(material: Material, tasks: Collection[str], seeds: Sequence[int]) -> Asked:
    """The questions of some tasks.

    Args:
        material: the zoo.
        tasks: retrieval, invariance, robustness; others ask nothing of an encoder.
        seeds: of noise, one draw for each; the first is that of everything else.
    """
    seed = seeds[0]
    retrieval: list[list[Task]] = []
    if "retrieval" in tasks:
        retrieval = [[noised_task(material, seeds)], [snapshot_task(material, seed)], lineage_tasks(material, seed)]
        retrieval += [[task] for task in alike_tasks(material, seed)]
    copied = invariance.sample(material, seed) if "invariance" in tasks else []
    damaged = robustness.damaged_tasks(material, seeds) if "robustness" in tasks else []
    groups = [group for group in retrieval if group]
    return Asked(groups, copied, invariance.copies(material, copied, seed), damaged, seed)


def measure(embedded: Embedded, asked: Asked, structure: str) -> Retrieved:
    """The rows of all answers.

    Args:
        embedded: the zoo.
        asked: the questions.
        structure: of the one shape that everyone knows.
    """
    material, seed, found = embedded.material, asked.seed, Retrieved()
    for group in asked.retrieval:
        answers = embedded.answers(group[0])
        if group[0].name == LINEAGE:
            answers |= embedded.as_stored(group[0])
        for task in group:
            found.add(retrieval_results(material, task, answers, structure, seed))
            if task.name in ALIGNED:
                found.add(alignment_results(material, task, answers, structure, seed))
    splits = splits_of(material, structure)
    copies = embedded.of(asked.copies, [material.rows[place].structure for place in asked.copied])
    found.results.extend(invariance.invariance_results(material, asked.copied, embedded.gallery, copies, splits))
    found.results.extend(_robustness(embedded, asked, splits))
    return found


def _robustness(embedded: Embedded, asked: Asked, splits: Mapping[str, Mask]) -> Iterator[Result]:
    material, seed, main = embedded.material, asked.seed, next(iter(embedded.everyone))
    if not asked.damaged:
        return
    steadiness = Steadiness.of(material, main, embedded.everyone[main], embedded.gallery[main], seed)
    for damaged in asked.damaged:
        answers = embedded.answers(damaged.task)
        yield from robustness.robustness_results(material, damaged, answers, splits, seed)
        if steadiness:
            yield from steadiness.results(damaged, answers[main], splits)
