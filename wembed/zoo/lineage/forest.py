"""Networks in; who is kin, who is likely whose parent, and what speaks for it, out."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np

from wembed.catalog import CatalogRow
from wembed.zoo.duplicates.vectors import Vector
from wembed.zoo.lineage.adjacency import Adjacency
from wembed.zoo.lineage.chance import Chance, chance
from wembed.zoo.lineage.derivation import Derivation, derivation_of
from wembed.zoo.lineage.descent import Descent
from wembed.zoo.lineage.direction import CERTAIN
from wembed.zoo.lineage.merges import find_merges
from wembed.zoo.lineage.nearest import Likeness, nearest
from wembed.zoo.lineage.network import Network, Pairs
from wembed.zoo.lineage.orders import Reordered, find_reordered
from wembed.zoo.lineage.parents import Candidate, candidates, choose, probability_of
from wembed.zoo.lineage.sketch import both

CLAIMED = 0.6  # probability from which on a parent is named
_BY_PLACE = "others come from it"

Kin = list[list[Likeness]]


class _Measured(TypedDict):
    similarity: float
    change: float
    p_value: float
    identical: int
    compared: int


class Forest:
    """The networks of a zoo, who is kin, and who is whose parent.

    Args:
        networks: with distinct weights.
        vectors: see `find_lineage`.
        generator: see `find_lineage`.
    """

    def __init__(
        self, networks: Sequence[Network], vectors: Mapping[str, Vector], generator: np.random.Generator
    ) -> None:
        self._networks = networks
        self._sketches = [network.sketch for network in networks]
        self._chances: dict[str, Chance] = {}  # by structure, of those that have kin to be told from strangers
        self._generator = generator
        kin = [list(filter(self._are_kin, own)) for own in nearest(self._sketches)]
        self._merges = find_merges(self._sketches, kin)
        self._kin: Kin = [list(filter(self._may_be_parent, own)) for own in kin]
        self._pairs = Pairs(networks)
        self._adjacency = Adjacency(networks, self._kin, self._pairs)
        self._possible = [
            candidates(own, scores, self._pairs.first_of)
            for own, scores in zip(self._kin, self._adjacency.scores, strict=True)
        ]
        self._chosen = choose(self._possible)
        self._reordered = self._left_alone(find_reordered(networks, kin, vectors))

    def descents(self) -> list[Descent]:
        """Where each network comes from."""
        return [self._descent(number) for number in range(len(self._networks))]

    def _of_structure(self, structure: str) -> Chance:
        if structure not in self._chances:
            own = [network for network in self._networks if network.row.structure == structure]
            items, sketches = [network.item for network in own], [network.sketch for network in own]
            self._chances[structure] = chance(items, sketches, self._generator)
        return self._chances[structure]

    def _chance(self, likeness: Likeness) -> Chance:
        """That of the two structures in which more is needed."""
        ends = (self._networks[number].row.structure for number in (likeness.first, likeness.second))
        return max(map(self._of_structure, ends), key=lambda found: found.limit)

    def _are_kin(self, likeness: Likeness) -> bool:
        return likeness.cosine > self._chance(likeness).limit

    def _may_be_parent(self, likeness: Likeness) -> bool:
        """A merge has its two ends for parents, and is not the parent of either."""
        own, other = self._merges.get(likeness.first), self._merges.get(likeness.second)
        is_end = own is None or likeness.second in (own.near, own.far)
        return is_end and (other is None or likeness.first not in (other.near, other.far))

    def _left_alone(self, pairs: Iterable[Reordered]) -> dict[int, Reordered]:
        """Of each network without a parent the pair with the one that it is the same as, the second being the child."""
        found: dict[int, Reordered] = {}
        for pair in pairs:
            for one in (pair, pair.turned()):
                known = found.get(one.second)
                is_better = known is None or one.direction.log_odds > known.direction.log_odds
                if one.second not in self._chosen and is_better:
                    found[one.second] = one
        return found

    def _descent(self, number: int) -> Descent:
        row, chosen = self._networks[number].row, self._chosen.get(number)
        if chosen and self._probability(number, chosen) >= CLAIMED:
            return self._child(number, chosen)
        pair = self._reordered.get(number)
        if pair and pair.direction.log_odds >= 0:
            return self._in_another_order(row, pair)
        return self._next_of_kin(number)

    def _next_of_kin(self, number: int) -> Descent:
        """The likeliest neighbour in the tree that may have come first; whether it did is not told."""
        row, scores = self._networks[number].row, self._adjacency.scores[number]
        order = (self._kin[number][place] for place in np.argsort(-scores, kind="stable"))
        found = next((likeness for likeness in order if self._may_be_first(likeness.second, number)), None)
        if found is None:
            return Descent(row)
        chosen = self._chosen.get(number)
        is_same = chosen is not None and chosen.parent == found.second
        probability = self._probability(number, chosen) if chosen and is_same else None
        direction = self._pairs.first_of(found.second, number).reason
        kin = self._networks[found.second].row
        return Descent(row, kin=kin, probability=probability, direction=direction, **self._measured(found))

    def _may_be_first(self, one: int, other: int) -> bool:
        """Whether nothing certain says that the other came first, and the first does not descend from it."""
        return self._pairs.first_of(one, other).log_odds > -CERTAIN and other not in self._ancestors(one)

    def _ancestors(self, number: int) -> Iterator[int]:
        """The parents that are named, from one to the next."""
        while (chosen := self._chosen.get(number)) and self._probability(number, chosen) >= CLAIMED:
            number = chosen.parent
            yield number

    def _probability(self, number: int, chosen: Candidate) -> float:
        return probability_of(chosen, self._possible[number], self._odds(number, chosen))

    def _odds(self, number: int, chosen: Candidate) -> float:
        """How much more popular a candidate is than the one whose parent it may be."""
        return float(np.subtract(*np.log1p(self._adjacency.popularity[[chosen.parent, number]])))

    def _child(self, number: int, chosen: Candidate) -> Descent:
        parent, child = self._networks[chosen.parent], self._networks[number]
        reason = chosen.direction.reason or (_BY_PLACE if abs(self._odds(number, chosen)) > 1 else "")
        other = self._other_end(number, chosen.parent)
        made = "merged" if other else derivation_of(parent.sketch, child.sketch, chosen.direction)
        probability, measured = self._probability(number, chosen), self._measured(chosen.likeness)
        return Descent(child.row, parent.row, other, made, probability=probability, direction=reason, **measured)

    def _in_another_order(self, row: CatalogRow, pair: Reordered) -> Descent:
        same, odds = self._networks[pair.first].row, pair.direction.log_odds
        parent, kin = (same, None) if odds else (None, same)
        made: Derivation | None = "permuted" if odds else None
        probability = 1.0 / (1.0 + math.exp(-odds))
        return Descent(
            row, parent, None, made, 1.0, 0.0, probability=probability, direction=pair.direction.reason, kin=kin
        )

    def _other_end(self, child: int, parent: int) -> CatalogRow | None:
        merge = self._merges.get(child)
        ends = {merge.near: merge.far, merge.far: merge.near} if merge else {}
        return self._networks[ends[parent]].row if parent in ends else None

    def _measured(self, likeness: Likeness) -> _Measured:
        ends = self._sketches[likeness.first], self._sketches[likeness.second]
        shared = ends[0].parts.keys() & ends[1].parts.keys()
        return {
            "similarity": likeness.cosine,
            "change": math.sqrt(likeness.distance),
            "p_value": self._chance(likeness).p_value(likeness.cosine),
            "identical": sum(np.array_equal(*both(*ends, key)) for key in shared),
            "compared": len(shared),
        }
