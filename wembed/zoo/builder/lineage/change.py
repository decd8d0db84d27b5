"""The tensors of two networks in; how far the second has moved from the first, relative to its size, out."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[np.float32]]  # a network's parameters and running statistics, by state-dict name


def relative_change(parent: Tensors, child: Tensors) -> float:
    """||child - parent|| / ||parent|| over the weights that both have.

    Weights are tensors of two or more dimensions: biases, norms and running statistics do not count, and neither does
    what only one of the two has, or has in another shape.

    Args:
        parent: by name.
        child: by name.

    Returns:
        0 if they have no weight in common, infinity if the parent's weights are all zero and the child's are not.
    """
    shared = [name for name in weight_names(parent) if name in child and child[name].shape == parent[name].shape]
    moved = sum(squared_norm(child[name].astype(np.float64) - parent[name]) for name in shared)
    size = sum(squared_norm(parent[name]) for name in shared)
    if moved == 0:
        return 0.0
    return math.sqrt(moved / size) if size else math.inf


def weight_names(tensors: Tensors) -> list[str]:
    """The names of the tensors of two or more dimensions."""
    return [name for name, values in tensors.items() if values.ndim > 1]


def squared_norm(values: NDArray[np.floating]) -> float:
    """The sum of the squares of all elements, added up in float64."""
    flat = values.ravel().astype(np.float64)
    return float(flat @ flat)
