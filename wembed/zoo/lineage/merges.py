"""Networks and their kin in; which lie on a straight line between two others, as merges do, out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wembed.zoo.lineage.nearest import Likeness
from wembed.zoo.lineage.sketch import Sketch

_STRAIGHT = -1.0 + 1e-5  # cosine of the ways to the two ends: rounding bends a line of a thousandth by less


@dataclass(frozen=True)
class Merge:
    """A network between two others.

    Args:
        child: its number.
        near: that of the nearer end, the parent.
        far: that of the other end.
        share: of the way from the nearer end to the other one.
    """

    child: int
    near: int
    far: int
    share: float


def find_merges(sketches: Sequence[Sketch], kin: Sequence[Sequence[Likeness]]) -> dict[int, Merge]:
    """The networks that are averages of two others, by number."""
    found = {}
    for number, own in enumerate(kin):
        others = [likeness.second for likeness in own if likeness.distance > 0]
        alike = [other for other in others if sketches[other].parts.keys() == sketches[number].parts.keys()]
        merge = next(_between(number, alike, sketches), None) if len(alike) > 1 else None
        if merge:
            found[number] = merge
    return found


def _between(child: int, others: Sequence[int], sketches: Sequence[Sketch]) -> Iterator[Merge]:
    """The pairs of others that a network lies between, the straightest first."""
    keys = list(sketches[child].parts)
    ways = np.stack([sketches[other].flat(keys) for other in others]) - sketches[child].flat(keys)  # [K, n]
    lengths = np.linalg.norm(ways, axis=1)
    cosines = (ways @ ways.T) / np.maximum(np.outer(lengths, lengths), np.finfo(float).tiny)
    for place in np.argsort(cosines, axis=None):
        one, other = divmod(int(place), len(others))
        if cosines[one, other] > _STRAIGHT:
            return
        if one < other:  # the nearest stand first
            share = float(lengths[one] / (lengths[one] + lengths[other]))
            yield Merge(child, others[one], others[other], share)
