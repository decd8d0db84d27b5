"""The neurons beside an ordered axis as a set: a kernel mean that tells one trained network from its siblings.

A neuron that reads the inputs (or writes the outputs) has a weight for each of them, and these have fixed places. The
set of these vectors hardly changes its shape late in training, and differs from run to run. Its mean over random
Fourier features (Rahimi and Recht, 2007) is blind to the neurons' order; of directions only, so that it is blind to
their scales; of cosines only where signs are open. Vocabularies count as inputs and as outputs; places beyond the first
65,536 share the frequencies of the earlier ones, so that a vocabulary that grew stays what it was.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wembed.encoder.features import Weight
from wembed.graph import Block, Group, Tile, WeightGraph

Vector = NDArray[np.float64]

_BANDWIDTHS = (0.3, 0.6)  # of the kernels on directions; unrelated ones are sqrt(2) apart
_FREQUENCIES = 96  # of each kernel; each gives a cosine and a sine
_FLOOR = 0.1  # of the neurons' root mean square norm: what is smaller has no direction to speak of
_LARGEST_AXIS = 1 << 16  # places that have frequencies of their own
_DRAWN_TOGETHER = 1 << 12  # rows of frequencies

_KERNEL_FEATURES = _FREQUENCIES * len(_BANDWIDTHS)
_LONG = 128
_LEAST = 0.02  # of a cosine: what a few thousand unrelated directions leave
NEURON_FEATURES = 2 * 2 * _KERNEL_FEATURES


def signature(blocks: Sequence[Vector]) -> Vector:
    """The neurons of a network as all ordered axes see them: the sum over blocks, near length 1, [NEURON_FEATURES]."""
    total: Vector = np.sum(blocks, 0)
    return np.asarray(total / (np.linalg.norm(total) + _LEAST))


def neuron_features(graph: WeightGraph, block: Block, weight: Weight) -> Vector:
    """The set of a block's targets as its ordered sources see them, then the other way round, [NEURON_FEATURES].

    Zeros for a side that is not ordered, and for one that sees a single number of each neuron.
    """
    source, target = graph.groups[block.source], graph.groups[block.target]
    taps = math.prod(block.taps)
    sides = []
    for side, (seen_from, neurons) in enumerate(((source, target), (target, source))):
        length = min(seen_from.size, _LARGEST_AXIS) * taps
        if not seen_from.ordered or length < 2 or (side and neurons.ordered):
            sides.append(np.zeros(NEURON_FEATURES // 2))
            continue
        frequencies = _frequencies(length, side).reshape(-1, taps, _KERNEL_FEATURES)
        seen = _Seen(np.zeros((neurons.size, _KERNEL_FEATURES)), np.zeros(neurons.size))
        for tile in weight:
            seen.add(tile, frequencies, sources_are_neurons=bool(side))
        if not side:
            seen.phases += block.bias[:, None] * _frequencies(1, 3)
            seen.squares += np.square(block.bias)
        common = 0.0 if neurons.ordered else _isotropic(length, side)
        sides.append(_of_similar_length(seen.kernel_mean(neurons) - common))
    return np.concatenate(sides)


def _of_similar_length(mean: Vector) -> Vector:
    """Nearly of length 1, unless next to nothing is left."""
    return mean / (np.linalg.norm(mean) + _LEAST * math.sqrt(len(mean)))


class _Seen:
    """The vectors of neurons, as far as they are read.

    Args:
        phases: their products with the frequencies, [N, K].
        squares: of their norms, [N].
    """

    def __init__(self, phases: Vector, squares: Vector) -> None:
        self.phases = phases
        self.squares = squares

    def add(self, tile: Tile, frequencies: NDArray[np.float32], sources_are_neurons: bool) -> None:
        """Read a piece; the frequencies are [places, taps, K]."""
        weight, neurons, places = tile.weight, tile.targets, tile.sources
        if sources_are_neurons:
            weight, neurons, places = weight.transpose(1, 0, 2), tile.sources, tile.targets
        vectors = weight.reshape(len(weight), -1)
        own = frequencies[np.arange(places.start, places.stop) % len(frequencies)]
        self.phases[neurons] += vectors @ own.reshape(-1, _KERNEL_FEATURES)
        self.squares[neurons] += np.square(vectors).sum(1)

    def kernel_mean(self, neurons: Group) -> Vector:
        """The mean over neurons of cosines and sines of random projections of their directions, [2 K].

        Neurons that are told apart by their place get a phase of their own: they are alike in one place only.
        """
        norms = np.sqrt(self.squares + _FLOOR**2 * self.squares.mean() + 1e-30)
        phases = self.phases / norms[:, None]
        if neurons.ordered:
            phases += _phases(len(phases))
        sines = np.zeros(phases.shape[1]) if neurons.signed else np.sin(phases).mean(0)
        return np.concatenate([np.cos(phases).mean(0), sines])


@lru_cache(maxsize=64)
def _isotropic(length: int, seed: int) -> Vector:
    """The kernel mean of directions that are equally spread over the sphere, [2 K]: what any set has in common."""
    squares = np.square(_frequencies(length, seed).astype(np.float64)).sum(0)
    if length > _LONG:  # where the sphere is as good as a Gaussian, and the series as good as infinite
        cosines = np.exp(-squares / (2 * length))
    else:
        from scipy.special import hyp0f1  # a tenth of a second that a search of what is embedded does without

        cosines = hyp0f1(length / 2, -squares / 4)
    return np.concatenate([cosines, np.zeros_like(cosines)])


@lru_cache(maxsize=16)
def _phases(count: int) -> Vector:
    """A phase for each place and frequency, [count, K]."""
    return np.random.RandomState(2).uniform(0.0, 2.0 * np.pi, (count, _KERNEL_FEATURES))


@lru_cache(maxsize=16)
def _frequencies(count: int, seed: int) -> NDArray[np.float32]:
    """Of both kernels, [count, K]; the first rows of more are the same."""
    # The legacy generator is the one whose stream NumPy promises never to change (NEP 19).
    random = np.random.RandomState(seed)
    bandwidths = np.repeat(_BANDWIDTHS, _FREQUENCIES)
    starts = range(0, count, _DRAWN_TOGETHER)
    drawn = (random.standard_normal((min(count - start, _DRAWN_TOGETHER), len(bandwidths))) for start in starts)
    return np.concatenate([(part / bandwidths).astype(np.float32) for part in drawn])
