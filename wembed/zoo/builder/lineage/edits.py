"""A network's tensors in; those of a child that no training made out, with what there is to know about it.

What is edited are the weights, the tensors of two or more dimensions; all others are carried along as they are, except
where a function says otherwise. Nothing is edited in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from wembed.zoo.builder.lineage.change import Tensors, relative_change, squared_norm, weight_names

_INT8_LEVELS = 127  # on either side of zero: symmetric, -128 is left out
_HALVINGS = 40  # of the interval that the share to prune lies in
_FARTHEST = 0.5  # on the way to the other network: beyond, a merge would be a child of that one


@dataclass(frozen=True)
class Edited:
    """A child's network.

    Args:
        tensors: by name.
        details: what is worth knowing about how it was made, by name.
    """

    tensors: dict[str, NDArray[np.float32]]
    details: Mapping[str, object] = field(default_factory=dict)


def prune(parent: Tensors, change: float) -> Edited:
    """The weights of the smallest magnitude set to zero, the same share of every tensor.

    The share is the smallest that changes the network as much as asked. One weight of every tensor is always left.
    """
    squares = {name: _smallest_first(parent[name]) for name in weight_names(parent)}
    wanted = change**2 * sum(float(sums[-1]) for sums in squares.values())
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = sum(float(sums[_pruned(middle, len(sums) - 1)]) for sums in squares.values())
        low, high = (low, middle) if reached >= wanted else (middle, high)
    tensors = _copied(parent)
    for name in squares:
        flat = tensors[name].reshape(-1)
        flat[np.argsort(np.abs(flat), kind="stable")[: _pruned(high, flat.size)]] = 0.0
    zeros = sum(int((tensors[name] == 0).sum()) for name in squares)
    return Edited(tensors, {"sparsity": zeros / sum(tensors[name].size for name in squares)})


def add_noise(parent: Tensors, change: float, generator: np.random.Generator) -> Edited:
    """Gaussian noise in every weight tensor, as large as asked beside that tensor."""
    tensors = _copied(parent)
    for name in weight_names(parent):
        noise = generator.standard_normal(parent[name].shape)
        factor = change * np.sqrt(squared_norm(parent[name]) / squared_norm(noise))
        tensors[name] = (parent[name] + factor * noise).astype(np.float32)
    return Edited(tensors)


def round_to_int8(parent: Tensors) -> Edited:
    """Every weight tensor rounded to 8 bits, symmetrically and with one scale, and multiplied out again."""
    tensors = _copied(parent)
    for name in weight_names(parent):
        step = float(np.abs(parent[name]).max(initial=0.0)) / _INT8_LEVELS
        if step:
            tensors[name] = (np.round(parent[name] / step) * step).astype(np.float32)
    return Edited(tensors, {"bits": 8})


def round_to_bf16(parent: Tensors) -> Edited:
    """Every tensor, biases and statistics too, rounded to bfloat16."""
    rounded = {name: torch.tensor(values).bfloat16().float().numpy() for name, values in parent.items()}
    return Edited(rounded, {"bits": 16})


def merge(parent: Tensors, other: Tensors, change: float) -> Edited:
    """A point on the line from one network to another of the same shapes, statistics included (arXiv 2203.05482).

    It lies as far from the parent as asked, but at most half-way.
    """
    distance = relative_change(parent, other)
    share = min(change / distance, _FARTHEST) if distance else _FARTHEST
    tensors = {
        name: ((1 - share) * values.astype(np.float64) + share * other[name]).astype(np.float32)
        for name, values in parent.items()
    }
    return Edited(tensors, {"t": share})


def _smallest_first(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sums [n + 1] of the squares of the smallest 0, 1, ... n elements."""
    squares = np.sort(values.astype(np.float64).ravel() ** 2)
    return np.concatenate([[0.0], np.cumsum(squares)])


def _pruned(share: float, size: int) -> int:
    return min(round(share * size), size - 1)


def _copied(tensors: Tensors) -> dict[str, NDArray[np.float32]]:
    return {name: values.copy() for name, values in tensors.items()}
