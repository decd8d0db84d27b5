"""A network and strangers in; how alike it is to each of them after matching, less those that are kin of it, out.

Kin that nobody declared would make every pair look like strangers. They are told by the order of their neurons or,
where these were shuffled, by a likeness that only kin have.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wembed.encoder import Item
from wembed.kinship.fixed import fixed_tensors
from wembed.kinship.layers import LayerKinship, layer_table, mean_similarity
from wembed.kinship.matching import aligned, aligned_in_order
from wembed.kinship.order import OrderTest, order_test
from wembed.kinship.shared import Shared, share
from wembed.kinship.strangers import LEVEL, without_kin


class Held(NamedTuple):
    """A network beside strangers.

    Args:
        similarities: to those that are no kin of it.
        kin: how many are.
    """

    similarities: list[float]
    kin: int


def hold(one: Item, strangers: Sequence[Item], generator: np.random.Generator) -> Held:
    """How alike a network is to strangers."""
    kin, found = 0, []
    for stranger in strangers:
        shared = share(one, stranger)
        beside = [checkpoint for checkpoint, _ in strangers if checkpoint is not stranger[0]]
        if is_in_order(order_test(shared, fixed_tensors(shared, beside), generator)):
            kin += 1
        elif (similarity := mean_similarity(aligned_layers(shared, None, generator))) is not None:
            found.append(similarity)
    left = without_kin(found)
    return Held(left, kin + len(found) - len(left))


def aligned_layers(
    shared: Shared, tested: OrderTest | None, generator: np.random.Generator
) -> tuple[LayerKinship, ...]:
    """What two networks share, layer by layer, after what an order test says of them."""
    if shared.matchable is None:
        return layer_table(shared, shared.first, shared.second)
    if is_in_order(tested):
        moved = aligned_in_order(shared, shared.matchable)
    else:
        moved = aligned(shared, shared.matchable, generator)
    return layer_table(shared, shared.matchable.first.__getitem__, moved.__getitem__)


def is_in_order(tested: OrderTest | None) -> bool:
    """Whether the neurons of two networks are known to stand in one order."""
    return tested is not None and tested.p_value < LEVEL
