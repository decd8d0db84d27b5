"""What nodes and edges know of themselves."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.encoder.features import cosine_modes
from wembed.graph import VECTOR_ROLES, Group, WeightGraph

_ORDER = 3  # cosine modes along each axis of a kernel: all of a 3 x 3 kernel, the smoothest of others
_PLACES = 4  # frequencies that tell ordered nodes apart
_ACTIVATIONS = ("identity", "relu", "leaky_relu", "tanh", "gelu", "silu")

TAP_MODES = _ORDER**2
EDGE_FEATURES = TAP_MODES + 3  # the modes, the layer's scale and depth, the direction
NODE_FEATURES = len(VECTOR_ROLES) + 2 * _PLACES + 3 + len(_ACTIVATIONS)


def tap_modes(weight: NDArray[np.float64], taps: tuple[int, ...]) -> NDArray[np.float64]:
    """A weight [T, S, K] on orthonormal cosine modes of its last two tap axes, [T S, C]; C is 1 for a matrix."""
    targets, sources, count = weight.shape
    if count == 1:
        return weight.reshape(-1, 1)
    height, width = (1, *taps)[-2:]
    grids = weight.reshape(targets * sources, -1, height, width).mean(1)  # [T S, height, width]
    planes = np.einsum("ah,bw->abhw", _basis(height), _basis(width)).reshape(TAP_MODES, -1)
    modes: NDArray[np.float64] = grids.reshape(len(grids), -1) @ planes.T
    return modes


def node_features(group: Group, depth: float, signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors, places, depth and kind of a group's nodes, [N, NODE_FEATURES]."""
    zeros = np.zeros(group.size)
    turns = {role: signs if role != "slope" else 1.0 for role in VECTOR_ROLES}
    vectors = [np.arcsinh(turns[role] * group.vectors.get(role, zeros)) for role in VECTOR_ROLES]
    angles = np.pi * np.outer((np.arange(group.size) + 0.5) / group.size, 2.0 ** np.arange(_PLACES))
    places = group.ordered * np.hstack([np.cos(angles), np.sin(angles)])
    kind = [depth, float(group.ordered), float(group.signed), *(group.activation == known for known in _ACTIVATIONS)]
    return np.hstack([np.stack(vectors, 1), places, np.tile(np.array(kind, dtype=np.float64), (group.size, 1))])


def group_depths(graph: WeightGraph) -> Mapping[str, float]:
    """Group name -> the mean depth of the layers that it lies between."""
    around: dict[str, list[float]] = {name: [] for name in graph.groups}
    for block in graph.blocks:
        around[block.source].append(block.depth)
        around[block.target].append(block.depth)
    return {name: float(np.mean(depths)) if depths else 0.5 for name, depths in around.items()}


def _basis(size: int) -> NDArray[np.float64]:
    """Orthonormal cosine modes [_ORDER, size]; zeros where there are fewer."""
    modes: NDArray[np.float64] = np.vstack([np.ones(size), np.sqrt(2.0) * cosine_modes(size, _ORDER - 1)])
    modes /= np.sqrt(size)
    modes[size:] = 0.0
    return modes
