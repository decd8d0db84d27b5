"""A start from what an encoder sees of single neurons: the nodes of two weight graphs in; their assignment out.

Node states are equivariant: they move with their nodes, and where a node's sign is open the odd half of its state turns
with it. So units whose states are alike are assigned to each other, group by group, with no search.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Encoder, Item
from wembed.encoder.gnn import Gnn
from wembed.errors import UsageError
from wembed.merging.matching.assign import assigned, likeness
from wembed.merging.matching.groups import Group, free_groups
from wembed.symmetry import Action, compose

States = NDArray[np.float32]
_RIDGE = 0.1  # of the mean variance, added before states are made to vary alike
_TINY = 1e-12


def embedding_start(first: Item, second: Item, encoder: Encoder) -> Action:
    """The permutations and signs that bring the nodes of `second` to those of `first` that an encoder sees alike.

    Heads, and what lies under them, are left in their order.

    Raises:
        UsageError: an encoder that has no states of nodes.
    """
    if not isinstance(encoder, Gnn):
        hint = "give --encoder gnn, or one that `wembed train` made"
        raise UsageError(f"aligning by embedding takes a gnn encoder, found {encoder.name}", hint)
    spec, action = first[1], Action({}, {})
    ours, theirs = (encoder.node_embeddings(checkpoint, spec) for checkpoint, _ in (first, second))
    for group in free_groups(spec):
        names = [name for name in ours if name.split(" @ ")[0] == group.atom]
        if names and not group.below and not spec.atoms[group.atom].under:
            products = _products(group, [(ours[name], theirs[name]) for name in names])
            action = compose(assigned(likeness(products)).action(group), action, spec)
    return action


def _products(group: Group, pairs: list[tuple[States, States]]) -> dict[int, NDArray[np.float64]]:
    """Set of signs -> how alike units are by the halves of their states that turn with it."""
    half, turning = pairs[0][0].shape[1] // 2, int(bool(group.signs))
    even = sum(_alike(own[:, :half], other[:, :half], centred=True) for own, other in pairs)
    odd = sum(_alike(own[:, half:], other[:, half:], centred=not turning) for own, other in pairs)
    return {0: np.asarray(even), 1: np.asarray(odd)} if turning else {0: np.asarray(even + odd)}


def _alike(own: States, other: States, centred: bool) -> NDArray[np.float64]:
    """Inner products of states after what varies together over the units is made to vary alike."""
    both = np.concatenate([own, other]).astype(np.float64)
    both -= both.mean(0) * centred  # what may turn its sign has no mean
    values, vectors = np.linalg.eigh(both.T @ both / len(both))
    white = both @ (vectors / np.sqrt(np.maximum(values, 0.0) + _RIDGE * values.mean() + _TINY))
    return np.asarray(white[: len(own)] @ white[len(own) :].T)
