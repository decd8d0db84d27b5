"""Kin and what their weights have in common in; how likely each of them stands next to a network in the tree, out.

Three things speak for it: that the network is made up of it, that it is near, and that no other holds more of the
weights that training never reached. What accounts for many networks is likelier to account for one more.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.direction import CERTAIN
from wembed.zoo.lineage.nearest import Likeness
from wembed.zoo.lineage.network import Network, Pairs
from wembed.zoo.lineage.shares import shares_of_kin

_ROUNDS = 5
_PREFERENCE = 1.5  # power of its popularity that a network counts with
_LEAST_SHARE, _LEAST_DISTANCE = 1e-6, 1e-14
_LOST = 0.5  # log-odds against what lacks one untouched weight that another holds
_MOST_LOST = 30.0
_SLACK = 0.05  # of the untouched weights, that may be missing by chance

Vector = NDArray[np.float64]


class Adjacency:
    """How likely networks stand next to each other in the tree.

    Args:
        networks: all of them.
        kin: of each those that may be its parent or child.
        pairs: what two of them tell of each other.
    """

    def __init__(self, networks: Sequence[Network], kin: Sequence[Sequence[Likeness]], pairs: Pairs) -> None:
        self._networks, self._kin, self._pairs = networks, kin, pairs
        shares = shares_of_kin([network.sketch for network in networks], kin)
        alone = [self._by_weights(own, share) for own, share in zip(kin, shares, strict=True)]
        self.popularity = self._popularity(alone)
        self.scores = [self._preferred(own, score, self.popularity) for own, score in zip(kin, alone, strict=True)]

    def _by_weights(self, own: Sequence[Likeness], share: Vector) -> Vector:
        """Log-odds of each of a network's kin."""
        distance = np.array([likeness.distance for likeness in own])
        scores = np.log(np.maximum(share, _LEAST_SHARE)) - np.log(np.maximum(distance, _LEAST_DISTANCE))
        is_later = np.array([self._is_later(likeness) for likeness in own], dtype=bool)
        return np.asarray(scores - self._lost(own, is_later) - CERTAIN * is_later)

    def _is_later(self, likeness: Likeness) -> bool:
        return self._pairs.first_of(likeness.second, likeness.first).log_odds <= -CERTAIN

    def _lost(self, own: Sequence[Likeness], is_later: NDArray[np.bool_]) -> Vector:
        """What speaks against kin that lack untouched weights: a parent holds at least what others hold."""
        if not own or self._networks[own[0].first].formats:
            return np.zeros(len(own))  # rounding has reached all weights
        counts = np.array([self._pairs.untouched(likeness.second, likeness.first).count for likeness in own])
        most = counts[~is_later].max(initial=0)
        return np.asarray(_LOST * np.clip((1 - _SLACK) * most - counts, 0.0, _MOST_LOST))

    def _popularity(self, scores: Sequence[Vector]) -> Vector:
        """How many networks each accounts for, [N]."""
        counts = np.ones(len(self._kin))
        for _ in range(_ROUNDS):
            found = np.zeros(len(self._kin))
            for own, score in zip(self._kin, scores, strict=True):
                odds = self._preferred(own, score, counts)
                weights = np.exp(odds - odds.max(initial=-np.inf))
                np.add.at(found, [likeness.second for likeness in own], weights / (weights.sum() or 1.0))
            counts = found
        return counts

    def _preferred(self, own: Sequence[Likeness], scores: Vector, counts: Vector) -> Vector:
        return np.asarray(scores + _PREFERENCE * np.log1p(counts[[likeness.second for likeness in own]]))
