"""A pair's likeness and that of one of the two to networks that are no kin of it in; a p-value out.

Networks of one structure that learned one thing become alike, after matching more so. How much is seen in strangers:
from five on, the p-value is what a t-distribution of their Fisher-z leaves for one more of them, whose tail is the
heavier the fewer they are; where a stranger is as alike as the pair, it is the share of those that are. Networks that
saw the very same examples are more alike than strangers are, which is allowed for.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from wembed.catalog import CatalogRow
from wembed.catalog.splits import families

FEWEST_STRANGERS = 5
MOST_STRANGERS = 20  # that a pair is held against: more change little but the time
_SAME_EXAMPLES = 0.3  # of a Fisher-z: thrice what runs on the same examples were found to gain over strangers


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


def choose_strangers(
    rows: Sequence[CatalogRow], structure: str, kin: Collection[str], count: int, generator: np.random.Generator
) -> list[CatalogRow]:
    """Rows of one structure to hold a pair against: of each family that is not the pair's own, the most trained.

    Args:
        rows: of the catalog.
        structure: that of the pair.
        kin: the ids, or the content hashes, of networks whose families are left out.
        count: how many at most.
        generator: draws them where there are more.
    """
    found: dict[int, list[CatalogRow]] = defaultdict(list)
    for number, family in enumerate(families(rows)):
        if not any(row.id in kin or row.content in kin for row in family):
            found[number] += [row for row in family if row.structure == structure and not row.status]
    each = [max(family, key=_training) for family in found.values() if family]
    chosen = sorted(generator.permutation(len(each))[:count])
    return [each[index] for index in chosen]


def _training(row: CatalogRow) -> tuple[bool, int, str]:
    return row.parent is None, row.step or 0, row.id


def _fisher_z(similarity: float) -> float:
    return math.atanh(max(-1 + 1e-9, min(1 - 1e-9, similarity)))
