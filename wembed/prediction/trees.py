"""Places and targets of training examples in; gradient-boosted trees as plain arrays out.

Legend: C directions, T targets, K trees, L nodes of the largest tree.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.examples import Vectors
from wembed.prediction.heads import Head, Outputs

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingRegressor

MOST_TARGETS = 4  # with more classes than these no trees are grown: each class needs a forest of its own
_RATE = 0.1
_DEPTH = 4
_LENGTHS = (25, 50, 100)  # numbers of trees


@dataclass(frozen=True)
class Trees:
    """Forests of T targets.

    Args:
        left: the node to go to where a place's coordinate is at most the threshold, [T, K, L]; a leaf's is itself.
        right: the node to go to elsewhere, [T, K, L].
        direction: which coordinate is looked at, [T, K, L].
        threshold: [T, K, L].
        value: what a leaf adds, [T, K, L].
        offset: what the trees are added to, [T].
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    direction: NDArray[np.int64]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    offset: NDArray[np.float64]

    def predict(self, places: Vectors) -> Outputs:
        """See Head."""
        rounded = places.astype(np.float32)  # as they were when the trees were grown
        return np.stack([self._forest(rounded, target) for target in range(len(self.offset))], 1)

    def _forest(self, places: NDArray[np.float32], target: int) -> NDArray[np.float64]:
        tree = np.arange(self.left.shape[1])[:, None]  # [K, 1]
        row = np.arange(len(places))[None]  # [1, M]
        node = np.zeros((len(tree), len(places)), dtype=np.int64)  # [K, M]
        for _ in range(_DEPTH):
            is_left = places[row, self.direction[target][tree, node]] <= self.threshold[target][tree, node]
            node = np.where(is_left, self.left[target][tree, node], self.right[target][tree, node])
        return np.asarray(self.value[target][tree, node].sum(0) + self.offset[target])

    def first(self, count: int) -> "Trees":
        """The same, cut off after some trees."""
        left, right, direction = (part[:, :count] for part in (self.left, self.right, self.direction))
        return Trees(left, right, direction, self.threshold[:, :count], self.value[:, :count], self.offset)


def boostings(places: Vectors, targets: Outputs, seed: int, is_hopeless: Callable[[Head], bool]) -> Iterator[Head]:
    """Candidates of several lengths; none but the shortest where that shows that trees don't suit."""
    from sklearn.ensemble import GradientBoostingRegressor

    growers = [
        GradientBoostingRegressor(
            learning_rate=_RATE, n_estimators=_LENGTHS[0], max_depth=_DEPTH, min_samples_leaf=5, max_features=0.2,
            random_state=seed, warm_start=True,
        )
        for _ in targets.T
    ]  # fmt: skip
    shortest = _grown(growers, places, targets)
    yield shortest
    if is_hopeless(shortest):
        return
    for grower in growers:
        grower.set_params(n_estimators=_LENGTHS[-1])
    trees = _grown(growers, places, targets)
    yield from (trees.first(count) for count in _LENGTHS[1:])


def _grown(growers: Sequence["GradientBoostingRegressor"], places: Vectors, targets: Outputs) -> Trees:
    fitted = [grower.fit(places, column) for grower, column in zip(growers, targets.T, strict=True)]
    return _as_arrays([[each.tree_ for each in grower.estimators_[:, 0]] for grower in fitted], targets.mean(0))


def _as_arrays(forests: list[list], offset: NDArray[np.float64]) -> Trees:  # type: ignore[type-arg]
    largest = max(tree.node_count for forest in forests for tree in forest)
    shape = (len(forests), len(forests[0]), largest)
    left, right, direction = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    threshold, value = np.zeros(shape), np.zeros(shape)
    for number, forest in enumerate(forests):
        for place, tree in enumerate(forest):
            at = (number, place, slice(tree.node_count))
            is_leaf, own = tree.children_left < 0, np.arange(tree.node_count)
            left[at], right[at] = (
                np.where(is_leaf, own, children) for children in (tree.children_left, tree.children_right)
            )
            direction[at], threshold[at] = np.where(is_leaf, 0, tree.feature), tree.threshold
            value[at] = np.where(is_leaf, _RATE * tree.value[:, 0, 0], 0.0)
    return Trees(left, right, direction, threshold, value, offset)
