"""Weight graphs in; a sign for every node that is known only up to its sign.

A node's sign is that of the sum of the cubes of what it reads: it turns with the node, and hardly ever lies near zero.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.graph import Block, WeightGraph

Vector = NDArray[np.float64]


def signs_of(graph: WeightGraph, weights: Mapping[str, NDArray[np.float64]]) -> dict[str, Vector]:
    """Group name -> signs [N] that its nodes are multiplied by; ones where signs are fixed.

    Args:
        graph: the weight graph.
        weights: block name -> canonical weight [T, S, K].
    """
    signs = {name: np.ones(group.size) for name, group in graph.groups.items() if not group.signed}
    for block in graph.blocks:  # in data-flow order: what it reads has its signs already, but in loops
        if block.target not in signs and block.source in signs:
            cubes = (weights[block.name] * signs[block.source][:, None]) ** 3
            signs[block.target] = _signs(cubes.sum((1, 2)))
    for block in reversed(graph.blocks):
        if block.source not in signs and block.target in signs:
            cubes = (weights[block.name] * signs[block.target][:, None, None]) ** 3
            signs[block.source] = _signs(cubes.sum((0, 2)))
    return {name: signs.get(name, np.ones(group.size)) for name, group in graph.groups.items()}


def turned(weight: NDArray[np.float64], block: Block, signs: Mapping[str, Vector]) -> NDArray[np.float64]:
    """A weight [T, S, K] between turned nodes."""
    return weight * signs[block.target][:, None, None] * signs[block.source][:, None]


def _signs(values: Vector) -> Vector:
    return np.where(values < 0.0, -1.0, 1.0)
