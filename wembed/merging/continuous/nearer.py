"""Two transformers in; the second, computing what it computes, as near to the first as rotations and orders allow, out.

Beyond permutations (Theus et al., Generalized linear mode connectivity for transformers, NeurIPS 2025): heads take
invertible maps and a pre-norm residual stream takes an orthogonal one. With gains and biases folded into the weights
beside them, each of these, and each order of units and of heads, has a best choice in closed form when all others are
held still; going round them until nothing improves never increases the distance between the balanced networks.
"""

import numpy as np

from wembed.merging.continuous.freedom import Freedom
from wembed.merging.tensors import Tensors
from wembed.symmetry import SymmetrySpec

_MAX_ROUNDS = 100
_SAME = 1e-9  # of a network's squared length: a smaller distance is rounding
_TOLERANCE = 1e-5  # of the distance: a round that gains less is the last


def applies(spec: SymmetrySpec) -> bool:
    """Whether a network has heads or streams that more than permutations and scales pass."""
    freedom = Freedom.of(spec)
    return spec.tier != "inferred" and bool(freedom.smooth)


def nearer(first: Tensors, second: Tensors, spec: SymmetrySpec) -> Tensors:
    """The second network, computing the same function, brought near to the first.

    It gets the first's gains and norms' biases, so that an average of the two is in the first's own form. Both networks
    are held in memory several times over.

    Args:
        first: the tensors of the spec, float64.
        second: the same for the network that moves, matched by permutations or not.
        spec: of both; it `applies`.
    """
    freedom = Freedom.of(spec, first, second)
    ours = freedom.folded(first)
    ends = candidates(ours, freedom.folded(second), freedom)
    return freedom.unfolded(min(ends, key=lambda end: squared_distance(ours, end)), first)


def candidates(first: Tensors, second: Tensors, freedom: Freedom) -> list[Tensors]:
    """Where going round all moves leads, from the network as it is and from a guess in the order of the data.

    Args:
        first: folded.
        second: folded.
        freedom: of both.
    """
    guess = second
    for move in (*freedom.turns, *reversed(freedom.orders), *freedom.maps):
        guess = move.guess(first, guess)
    return [_descended(first, start, freedom) for start in (second, guess)]


def are_one(first: Tensors, second: Tensors) -> bool:
    """Whether two networks differ by no more than rounding."""
    return squared_distance(first, second) <= _SAME * float(sum(np.square(values).sum() for values in first.values()))


def squared_distance(first: Tensors, second: Tensors) -> float:
    """Of two networks over all tensors."""
    return float(sum(np.square(values - second[name]).sum() for name, values in first.items()))


def _descended(first: Tensors, second: Tensors, freedom: Freedom) -> Tensors:
    """Go round all moves until a whole round gains next to nothing."""
    cost = squared_distance(first, second)
    for _ in range(_MAX_ROUNDS):
        for move in (*freedom.orders, *freedom.smooth):
            second = move.nearest(first, second)
        before, cost = cost, squared_distance(first, second)
        if cost >= before * (1 - _TOLERANCE):
            break
    return second
