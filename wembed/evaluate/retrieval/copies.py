"""Retrieval of copies and of runs: does a disguised network find where it comes from, among strangers?

retrieval-noised: a test checkpoint with 5 % weight noise looks for its original among all checkpoints of the zoo.
retrieval-snapshot: an earlier snapshot of a test run looks for the run's last one among the last ones of all runs.
Every query is permuted and rescaled. Children of its run are not looked among: some are copies of the right answer.
"""

from collections.abc import Sequence

import numpy as np

from wembed.evaluate.material import Mask, Material
from wembed.evaluate.retrieval.queries import Copies, disguised, noised
from wembed.evaluate.retrieval.tasks import Task, chosen_queries, only, step_labels, without_children

NOISED = "retrieval-noised"
SNAPSHOT = "retrieval-snapshot"


def noised_task(material: Material, seeds: Sequence[int]) -> Task:
    """Copies of test checkpoints with weight noise, drawn once for each seed; the gallery is the whole zoo."""
    origins = chosen_queries(np.flatnonzero(material.side("test")), np.random.default_rng([seeds[0], 8]))
    originals = [material.items[place] for place in origins]
    draws = [Copies(originals, noised, (seed, 1)) for seed in seeds]
    relevant = only(origins, len(material.rows))
    return _task(material, NOISED, origins, (relevant, np.ones(relevant.shape[1], dtype=bool)), draws)


def snapshot_task(material: Material, seed: int) -> Task:
    """All but the last snapshots of test runs; the gallery is the last ones of all runs."""
    finals, runs = material.finals(), material.runs
    last = {runs[place]: int(place) for place in np.flatnonzero(finals)}
    origins = chosen_queries(np.flatnonzero(material.side("test") & ~finals), np.random.default_rng([seed, 9]))
    copies = Copies([material.items[place] for place in origins], disguised, (seed, 2))
    relevant = only([last[runs[place]] for place in origins], len(runs))
    return _task(material, SNAPSHOT, origins, (relevant, finals), [copies])


def _task(material: Material, name: str, origins: list[int], masks: tuple[Mask, Mask], draws: list[Copies]) -> Task:
    """A task all of whose queries look among the same checkpoints, but for their own children."""
    relevant, gallery = masks
    candidates, numbers = gallery & without_children(material, origins), np.arange(len(origins))
    labels = step_labels(material, origins)
    return Task(name, origins, numbers, relevant, candidates, draws, material.families[origins], labels)
