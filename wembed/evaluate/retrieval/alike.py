"""Retrieval of what runs have in common, where the other thing that could give it away is left out.

retrieval-dataset: the last snapshot of a test run looks for runs on the same data set, among those of architectures
other than its own. retrieval-architecture: for runs of the same kind of architecture, among those on other data sets.
Families other than the query's own only; checkpoints ask as they are, since no order of neurons is shared between them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow
from wembed.evaluate.material import Material
from wembed.evaluate.retrieval.tasks import Task, chosen_queries
from wembed.prediction import architecture_family

DATASET = "retrieval-dataset"
ARCHITECTURE = "retrieval-architecture"


def alike_tasks(material: Material, seed: int) -> list[Task]:
    """Both tasks, without queries that have nothing to find or nothing to mistake it for."""
    found = [
        _task(material, DATASET, lambda row: row.dataset or "", lambda row: row.architecture or "", seed),
        _task(material, ARCHITECTURE, lambda row: architecture_family(row) or "", lambda row: row.dataset or "", seed),
    ]
    return [task for task in found if task.origins]


def _task(
    material: Material, name: str, wanted: Callable[[CatalogRow], str], left_out: Callable[[CatalogRow], str], seed: int
) -> Task:
    finals = material.finals()
    wants, shortcuts = (np.array([tell(row) for row in material.rows]) for tell in (wanted, left_out))
    known = material.side("test") & finals & (wants != "") & (shortcuts != "")
    places = chosen_queries(np.flatnonzero(known), np.random.default_rng([seed, 12]))
    among = finals & (shortcuts != shortcuts[places][:, None])  # [Q, N]
    among &= (wants != "") & (material.families != material.families[places][:, None])
    right = among & (wants == wants[places][:, None])
    asking: NDArray[np.bool_] = right.any(1) & (among & ~right).any(1)
    origins = [place for place, asks in zip(places, asking, strict=True) if asks]
    labels: list[tuple[str, ...]] = [(str(wants[place]),) for place in origins]
    numbers = np.array(origins, dtype=np.intp)
    return Task(name, origins, numbers, right[asking], among[asking], [], material.families[numbers], labels)
