"""A zoo in; the likely parent of each of its checkpoints out, or none where nothing speaks for one.

Kin are those whose neurons are alike place by place beyond all chance; which of them a network is made of, and which
came first, follows from how its weights are made up of theirs, and from the weights that training never reached. What
kept no order is found by its embedding.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wembed.catalog import CatalogRow, Zoo
from wembed.errors import WembedError
from wembed.zoo.duplicates.vectors import Vector
from wembed.zoo.lineage.descent import Descent
from wembed.zoo.lineage.forest import Forest
from wembed.zoo.lineage.network import by_date, open_networks
from wembed.zoo.progress import Progress, silent

_EVEN = 0.5


@dataclass(frozen=True)
class Lineage:
    """The likely family trees of a zoo.

    Args:
        descents: one for each row that could be read, in the catalog's order.
        unread: why others could not be.
    """

    descents: list[Descent]
    unread: list[WembedError]


def find_lineage(
    zoo: Zoo,
    rows: Sequence[CatalogRow],
    vectors: Mapping[str, Vector],
    generator: np.random.Generator,
    progress: Progress = silent,
) -> Lineage:
    """Finds the likely parent of each checkpoint; what the catalog says of parents is not looked at.

    Args:
        zoo: that holds the rows.
        rows: what to look among; a parent that isn't among them is not found.
        vectors: id -> embedding by the fingerprint.
        generator: shuffles neurons, to learn what chance is.
        progress: told after every checkpoint that is read.
    """
    first: dict[str, CatalogRow] = {}
    for row in rows:
        first.setdefault(row.content, row)
    opened = open_networks(zoo, list(first.values()), progress)
    found = Forest(opened.networks, vectors, generator).descents()
    by_content = {descent.row.content: descent for descent in found}
    descents = [
        by_content[row.content] if first[row.content] is row else _copy(row, first[row.content])
        for row in rows
        if row.content in by_content
    ]
    return Lineage(descents, opened.unread)


def _copy(row: CatalogRow, first: CatalogRow) -> Descent:
    """A checkpoint whose weights are there already."""
    came_first = by_date(first, row)
    if came_first.log_odds <= 0:
        return Descent(row, None, None, None, 1.0, 0.0, probability=_EVEN, direction=came_first.reason, kin=first)
    probability = 1.0 / (1.0 + math.exp(-came_first.log_odds))
    return Descent(row, first, None, "identical", 1.0, 0.0, probability=probability, direction=came_first.reason)
