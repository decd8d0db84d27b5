"""Networks with their trees in; which of them is another one with its neurons in another order, out.

The order of the neurons shows who came from whom only as long as it is kept. What is left without a parent is compared
with those whose embeddings, which no reordering moves, are next to its own.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wembed.kinship.same import Network as Same
from wembed.kinship.same import are_same
from wembed.zoo.duplicates.candidates import near_pairs
from wembed.zoo.duplicates.find import RADIUS
from wembed.zoo.duplicates.vectors import Vector
from wembed.zoo.lineage.direction import Direction
from wembed.zoo.lineage.nearest import Likeness
from wembed.zoo.lineage.network import Network, by_date

_KEPT_ITS_KIN = 3.0  # log-odds: the one whose order of neurons more networks share came first


@dataclass(frozen=True)
class Reordered:
    """Two networks that are the same but for the order and scale of neurons.

    Args:
        first: number of one.
        second: number of the other.
        direction: whether the first came first.
    """

    first: int
    second: int
    direction: Direction

    def turned(self) -> "Reordered":
        """The same for the two the other way round."""
        return Reordered(self.second, self.first, self.direction.turned())


def find_reordered(
    networks: Sequence[Network], kin: Sequence[Sequence[Likeness]], vectors: Mapping[str, Vector]
) -> Iterator[Reordered]:
    """The pairs of networks that are the same in different orders.

    Args:
        networks: all of them.
        kin: of each those that share its order.
        vectors: id -> embedding by the fingerprint.
    """
    structures: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, network in enumerate(networks):
        if network.row.id in vectors:
            structures[network.row.structure, network.row.spec].append(number)
    for numbers in structures.values():
        opened: dict[int, Same] = {}
        for pair in near_pairs([vectors[networks[number].row.id] for number in numbers], RADIUS):
            one, other = numbers[pair.first], numbers[pair.second]
            if not any(likeness.second == other for likeness in kin[one]) and _are_same(opened, networks, one, other):
                yield Reordered(one, other, _direction(networks, kin, one, other))


def _are_same(opened: dict[int, Same], networks: Sequence[Network], one: int, other: int) -> bool:
    return are_same(*(opened.setdefault(number, Same(networks[number].item)) for number in (one, other)))


def _direction(networks: Sequence[Network], kin: Sequence[Sequence[Likeness]], one: int, other: int) -> Direction:
    if len(kin[one]) != len(kin[other]):
        odds = _KEPT_ITS_KIN if len(kin[one]) > len(kin[other]) else -_KEPT_ITS_KIN
        return Direction(odds, "others kept its order")
    return by_date(networks[one].row, networks[other].row)
