"""The neurons beside an ordered axis as a set: a kernel mean that tells one trained network from its siblings.

A neuron that reads the inputs (or writes the outputs) has a weight for each of them, and these have fixed places. The
set of these vectors hardly changes its shape late in training, and differs from run to run. Its mean over random
Fourier features (Rahimi and Recht, 2007) is blind to the neurons' order; of directions only, so that it is blind to
their scales; of cosines only where signs are open.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.graph import Block, WeightGraph

Vector = NDArray[np.float64]

_BANDWIDTHS = (0.3, 0.6)  # of the kernels on directions; unrelated ones are sqrt(2) apart
_FREQUENCIES = 96  # of each kernel; each gives a cosine and a sine
_FLOOR = 0.1  # of the neurons' root mean square norm: what is smaller has no direction to speak of

NEURON_FEATURES = 2 * 2 * _FREQUENCIES * len(_BANDWIDTHS)


def neuron_features(graph: WeightGraph, block: Block) -> Vector:
    """The set of a block's targets as its ordered sources see them, then the other way round, [NEURON_FEATURES].

    Zeros for a side that is not ordered.
    """
    source, target = graph.groups[block.source], graph.groups[block.target]
    sides = []
    for axis, (seen_from, neurons) in enumerate(((source, target), (target, source))):
        if not seen_from.ordered or neurons.ordered:
            sides.append(np.zeros(NEURON_FEATURES // 2))
            continue
        weight = block.weight()  # [T, S, taps]
        vectors = weight if axis == 0 else weight.transpose(1, 0, 2)
        sides.append(_kernel_mean(vectors.reshape(neurons.size, -1), neurons.signed, axis))
    return np.concatenate(sides)


def _kernel_mean(vectors: NDArray[np.float64], signed: bool, seed: int) -> Vector:
    """The mean over rows [N, F] of cosines and sines of random projections of their directions."""
    squares = np.square(vectors).sum(1, keepdims=True)
    directions = vectors / np.sqrt(squares + _FLOOR**2 * squares.mean() + 1e-30)
    # The legacy generator is the one whose stream NumPy promises never to change (NEP 19).
    random = np.random.RandomState(seed)
    frequencies = random.standard_normal((vectors.shape[1], _FREQUENCIES * len(_BANDWIDTHS)))
    phases = directions @ (frequencies / np.repeat(_BANDWIDTHS, _FREQUENCIES))  # [N, K]
    sines = np.zeros(phases.shape[1]) if signed else np.sin(phases).mean(0)
    return np.concatenate([np.cos(phases).mean(0), sines])
