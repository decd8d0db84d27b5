"""Data at hand: two transformers and what they train on in; the second, moved until averages lose least, out.

Weights that are near need not compute what is near. So the maps inside heads and of streams are learned, as in the
paper: the loss at places drawn from the line between both is followed down along them (Theus et al., Generalized linear
mode connectivity for transformers, NeurIPS 2025), starting where the weights alone lead, by Adam (Kingma and Ba, 2015)
in the moves' own coordinates. The network that moves computes the same at every step, and may go further away; where
the average of what the weights lead to loses no more than the two do, and of a copy, nothing is learned. Held-out
inputs take no part.
"""

from dataclasses import dataclass, field

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.merging.continuous.freedom import Freedom
from wembed.merging.continuous.moves import Tangent
from wembed.merging.continuous.nearer import are_one, candidates, squared_distance
from wembed.merging.continuous.slopes import Slopes
from wembed.merging.tensors import Tensors, weighted_sum
from wembed.models import Dataset
from wembed.symmetry import SymmetrySpec

_STEPS = 300
_RATE = 0.02  # of the first steps, in radians or in logarithms; it falls to nothing in the second half
_FORGET, _FORGET_SIZES = 0.9, 0.99  # Adam's, for slopes that turn with the network


def nearer_with_data(
    first: Tensors, second: Tensors, spec: SymmetrySpec, dataset: Dataset, like: Checkpoint
) -> Tensors:
    """The second network, computing the same function, moved until averages with the first lose least.

    Args:
        first: the tensors of the spec, float64.
        second: the same for the network that moves, matched by permutations or not.
        spec: of both; it `applies`.
        dataset: whose training part says what is lost; batches are drawn alike each time.
        like: a checkpoint that says how to run them.
    """
    freedom = Freedom.of(spec, first, second)
    ours, theirs = freedom.folded(first), freedom.folded(second)
    slopes = Slopes.on(dataset, spec, like)
    ends = candidates(ours, theirs, freedom)
    nearest = min(ends, key=lambda end: squared_distance(ours, end))

    def middle(end: Tensors) -> float:
        return slopes.loss(weighted_sum([ours, end], [0.5, 0.5]))

    if are_one(ours, nearest) or middle(nearest) <= (slopes.loss(ours) + slopes.loss(theirs)) / 2.0:
        return freedom.unfolded(nearest, first)
    start = min(ends, key=middle)
    return freedom.unfolded(_learned(ours, start, freedom, slopes), first)


def _learned(first: Tensors, second: Tensors, freedom: Freedom, slopes: Slopes) -> Tensors:
    walks = [_Walk() for _ in freedom.smooth]
    for step in range(_STEPS):
        rate = _RATE * min(1.0, 2.0 * (1.0 - step / _STEPS))
        share = slopes.generator.random()
        gradient = slopes.gradient(weighted_sum([first, second], [1.0 - share, share]))
        tangents = [share * move.slope(gradient, second) for move in freedom.smooth]
        for move, walk, tangent in zip(freedom.smooth, walks, tangents, strict=True):
            second = move.stepped(second, -rate * walk.direction(tangent))
    return second


@dataclass
class _Walk:
    """Adam's memory of the slopes along one move."""

    steps: int = 0
    mean: Tangent = field(default_factory=lambda: np.zeros(()))
    sizes: Tangent = field(default_factory=lambda: np.zeros(()))

    def direction(self, slope: Tangent) -> Tangent:
        """Where the loss grows, each coordinate about one where its slope keeps its sign."""
        self.steps += 1
        self.mean = _FORGET * self.mean + (1 - _FORGET) * slope
        self.sizes = _FORGET_SIZES * self.sizes + (1 - _FORGET_SIZES) * np.abs(slope) ** 2
        mean = self.mean / (1 - _FORGET**self.steps)
        return mean / (np.sqrt(self.sizes / (1 - _FORGET_SIZES**self.steps)) + np.finfo(float).tiny)
