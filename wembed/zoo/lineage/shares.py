"""A network and its kin in; how much of it each of them accounts for out.

The network is written as an average of its kin, as near as can be (the weights of locally linear embedding, Roweis and
Saul, 2000). Children of one parent are taken the same way by training, so that two of them may be nearer to each other
than to the parent; together they say what is common to that way, and the parent's share comes out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.zoo.lineage.nearest import Likeness
from wembed.zoo.lineage.sketch import Sketch

_MOST = 24  # kin, the nearest, that share a network
_RIDGE = 0.3  # of the squared distance to the nearest: how far an average may be stretched
_SMALLEST = 1e-14  # squared distance, of the squared norm: below it is rounding

Vector = NDArray[np.float64]


def shares_of_kin(sketches: Sequence[Sketch], kin: Sequence[Sequence[Likeness]]) -> list[Vector]:
    """Of each network the shares of its kin, in their order; they add up to 1, where there are any."""
    return [_shares(sketches[number], own, sketches) for number, own in enumerate(kin)]


def _shares(network: Sketch, own: Sequence[Likeness], sketches: Sequence[Sketch]) -> Vector:
    shares = np.zeros(len(own))
    if not own:
        return shares
    keys = [key for key in network.parts if key in sketches[own[0].second].parts]
    fitting = [place for place, other in enumerate(own[:_MOST]) if _has(sketches[other.second], keys)]
    first = _shown(network, keys, [sketches[own[place].second] for place in fitting])
    ways = first[1:] - first[0]  # [K, n]
    products = ways @ ways.T
    least = max(float(products.diagonal().min()), _SMALLEST * float(first[0] @ first[0]), np.finfo(float).tiny)
    solved = np.linalg.solve(products + _RIDGE * least * np.eye(len(fitting)), np.ones(len(fitting)))
    shares[fitting] = np.maximum(solved, 0.0)
    return shares / (shares.sum() or 1.0)


def _has(network: Sketch, keys: Sequence[tuple[str, tuple[int, ...]]]) -> bool:
    return all(key in network.parts for key in keys)


def _shown(network: Sketch, keys: Sequence[tuple[str, tuple[int, ...]]], others: Sequence[Sketch]) -> Vector:
    """The network, then the others, in the places that all of them show, [1 + K, n]."""
    everyone = [network, *others]
    places = [min(len(one.parts[key]) for one in everyone) for key in keys]
    return np.stack(
        [np.concatenate([one.parts[key][:most] for key, most in zip(keys, places, strict=True)]) for one in everyone]
    )
