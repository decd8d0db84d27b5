"""Retrieval of parents: does a child find what it was made from?

retrieval-lineage: among twins, strangers and their children: no other relative by descent. retrieval-lineage-kin:
among all checkpoints but itself and mere copies, so among its siblings, its own children and the parent's whole run.
Children of test families, permuted and rescaled, as far as the catalog knows their parents.
"""

import math
from collections.abc import Iterator

import numpy as np

from wembed.catalog import CatalogRow
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.retrieval.queries import Copies, disguised
from wembed.evaluate.retrieval.tasks import Task, chosen_queries

LINEAGE = "retrieval-lineage"
KIN = "retrieval-lineage-kin"
_COPY = "permuted"
_BINS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, math.inf)  # how far a child moved, as a share of its parent's norm


def lineage_tasks(material: Material, seed: int) -> list[Task]:
    """Both tasks, of the same queries; none where the catalog names no parents of test checkpoints."""
    place_of = {row.id: place for place, row in enumerate(material.rows)}
    parents = [{place_of[name] for name in _named(row) if name in place_of} for row in material.rows]
    asking = material.side("test") & np.array([bool(found) for found in parents])
    origins = chosen_queries(np.flatnonzero(asking), np.random.default_rng([seed, 10]))
    if not origins:
        return []
    copies = Copies([material.items[place] for place in origins], disguised, (seed, 11))
    relevant = np.zeros((len(origins), len(parents)), dtype=bool)
    for number, place in enumerate(origins):
        relevant[number, list(parents[place])] = True
    labels = [tuple(_labels(material.rows[place])) for place in origins]
    groups, numbers = material.families[origins], np.arange(len(origins))
    return [
        Task(name, origins, numbers, relevant, candidates | relevant, [copies], groups, labels)
        for name, candidates in (
            (LINEAGE, material.descents != material.descents[origins][:, None]),
            (KIN, _but_itself(material, origins)),
        )
    ]


def _named(row: CatalogRow) -> list[str]:
    return [name for name in (row.parent, row.other_parent) if name and name != row.id]


def _labels(row: CatalogRow) -> Iterator[str]:
    if row.derivation:
        yield row.derivation
    if row.change is not None and 0 <= row.change < math.inf:
        above = next(place for place, end in enumerate(_BINS) if place and row.change < end)
        low, high = _BINS[above - 1], _BINS[above]
        yield f"moved {low:g} to {high:g}" if math.isfinite(high) else f"moved {low:g} and more"


def _but_itself(material: Material, origins: list[int]) -> Mask:
    """Without the child, and without copies of other networks in another order, which nothing can tell from them."""
    copies = material.where(lambda row: row.derivation == _COPY)
    mask = np.repeat(~copies[None], len(origins), axis=0)
    mask[np.arange(len(origins)), origins] = False
    return mask
