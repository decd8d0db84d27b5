"""One reading of a network: what all encoders know of it, whatever else they make of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.encoder.features import BlockFeatures, Energy, Weight, features_of
from wembed.encoder.neurons import neuron_features, signature
from wembed.graph import WeightGraph

_LARGEST_HELD = 1 << 24  # entries of all weights


@dataclass(frozen=True)
class Reading:
    """A network, read.

    Args:
        weights: block name -> its weight, opened.
        energies: block name -> the sizes of its weight.
        features: block name -> what is told of it.
        signature: of the neurons beside ordered axes, [NEURON_FEATURES].
    """

    weights: Mapping[str, Weight]
    energies: Mapping[str, Energy]
    features: Mapping[str, BlockFeatures]
    signature: NDArray[np.float64]

    @classmethod
    def of(cls, graph: WeightGraph) -> "Reading":
        """Reads a network.

        Raises:
            CheckpointRefusedError: a tensor that is not finite.
        """
        weights, energies, features, neurons = {}, {}, {}, []
        for block in graph.blocks:
            weight = weights[block.name] = Weight(block)
            energy = energies[block.name] = Energy.of(graph, block, weight)
            features[block.name] = features_of(graph, block, weight, energy)
            neurons.append(neuron_features(graph, block, weight))
            if is_large(graph):
                weight.let_go()
        return cls(weights, energies, features, signature(neurons))


def is_large(graph: WeightGraph) -> bool:
    """Whether the weights of a network are read from its file whenever they are needed, not held."""
    return graph.entries > _LARGEST_HELD
