"""A pair's likeness and that of one of the two to networks that are no kin of it in; a p-value out.

Networks of one structure that learned one thing become alike, after matching more so. How much is seen in strangers:
from five on, the p-value is what a t-distribution of their Fisher-z leaves for one more of them, whose tail is the
heavier the fewer they are; where a stranger is as alike as the pair, it is the share of those that are. Networks that
saw the very same examples are more alike than strangers are, which is allowed for. What learned from other data says
nothing about that: it is less alike to both.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wembed.catalog import CatalogRow
from wembed.catalog.splits import families

FEWEST_STRANGERS = 5
MOST_STRANGERS = 20  # that a pair is held against: more change little but the time
LEVEL = 1e-3  # of a p-value, below which two networks are called derived
# After matching, where no strangers say what likeness means: independent networks of many architectures came to .55.
SURELY_ALIKE = 0.9
_SAME_EXAMPLES = 0.3  # of a Fisher-z: thrice what runs on the same examples were found to gain over strangers


@dataclass(frozen=True)
class Pair:
    """What a zoo may know two networks by.

    Args:
        structure: that of both.
        names: their ids and content hashes.
        datasets: what they say themselves that they learned from; the catalog may know more.
    """

    structure: str
    names: frozenset[str]
    datasets: frozenset[str] = frozenset()


class Chosen(NamedTuple):
    """Networks of a pair's structure that are no kin of it, as far as the catalog knows.

    Args:
        strangers: those that learned from a data set that one of the pair did.
        others: those that learned from another, or nobody knows from what.
    """

    strangers: list[CatalogRow]
    others: list[CatalogRow]


def p_among(similarity: float, of_strangers: Sequence[float]) -> float:
    """How likely a stranger is as alike as that.

    Args:
        similarity: of the pair.
        of_strangers: of one of the two to five strangers or more.
    """
    count, as_alike = len(of_strangers), sum(other >= similarity for other in of_strangers)
    if as_alike or count < FEWEST_STRANGERS:
        return (1 + as_alike) / (1 + count)
    from scipy.special import stdtr  # a tenth of a second that reading a table does without

    found, own = [_fisher_z(other) for other in of_strangers], _fisher_z(similarity)
    mean = sum(found) / count
    deviation = math.sqrt(sum((value - mean) ** 2 for value in found) / (count - 1)) or 1e-12
    return float(stdtr(count - 1, -(own - _SAME_EXAMPLES - mean) / (deviation * math.sqrt(1 + 1 / count))))


def without_kin(of_strangers: Sequence[float]) -> list[float]:
    """The likenesses of a network to strangers, less those that only kin of it can have, declared or not."""
    low = [value for value in of_strangers if value < SURELY_ALIKE]
    return [value for value in of_strangers if value < SURELY_ALIKE or p_among(value, low) >= LEVEL]


def choose_strangers(rows: Sequence[CatalogRow], pair: Pair, count: int, generator: np.random.Generator) -> Chosen:
    """Rows to hold a pair against: of each family that is not the pair's own, the most trained on the pair's data.

    Args:
        rows: of the catalog.
        pair: whose families are left out.
        count: how many at most, both kinds together.
        generator: draws them where there are more.
    """
    own = [row for row in rows if _is_of(row, pair)]
    datasets = pair.datasets | {row.dataset for row in own if row.dataset}
    found: dict[int, list[CatalogRow]] = defaultdict(list)
    for number, family in enumerate(families(rows)):
        if not any(_is_of(row, pair) for row in family):
            found[number] += [row for row in family if row.structure == pair.structure and not row.status]
    each = [
        max(family, key=lambda row: (row.dataset in datasets, *_training(row))) for family in found.values() if family
    ]
    strangers = _drawn([row for row in each if row.dataset in datasets], count, generator)
    others = _drawn([row for row in each if row.dataset not in datasets], count - len(strangers), generator)
    return Chosen(strangers, others)


def _is_of(row: CatalogRow, pair: Pair) -> bool:
    return row.id in pair.names or row.content in pair.names


def _drawn(rows: Sequence[CatalogRow], count: int, generator: np.random.Generator) -> list[CatalogRow]:
    return [rows[index] for index in sorted(generator.permutation(len(rows))[:count])]


def _training(row: CatalogRow) -> tuple[bool, int, str]:
    return row.parent is None, row.step or 0, row.id


def _fisher_z(similarity: float) -> float:
    return math.atanh(max(-1 + 1e-9, min(1 - 1e-9, similarity)))
