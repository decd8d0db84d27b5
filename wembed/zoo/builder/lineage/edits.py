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
    """Weights of small magnitude set to zero: those that are smallest beside their tensor's root mean square.

    So many that the network changes as much as asked, to within one weight. The largest of every tensor is always left.
    """
    names, tensors = weight_names(parent), _copied(parent)
    sizes = np.cumsum([0, *(parent[name].size for name in names)])
    squares = np.concatenate([parent[name].ravel().astype(np.float64) ** 2 for name in names])
    relative = np.concatenate([_beside_its_mean(parent[name]) for name in names])
    order = np.argsort(relative, kind="stable")
    sums = np.cumsum(squares[order])  # of what is gone after each
    gone = order[: np.searchsorted(np.sqrt(sums / sums[-1]), change) + 1] if sums[-1] else order[:0]
    gone = gone[np.isfinite(relative[gone])]
    for name, begin, end in zip(names, sizes, sizes[1:], strict=False):
        tensors[name].reshape(-1)[gone[(gone >= begin) & (gone < end)] - begin] = 0.0
    zeros = sum(int((tensors[name] == 0).sum()) for name in names)
    return Edited(tensors, {"sparsity": zeros / int(sizes[-1])})


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


def _beside_its_mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Magnitudes [n] over their root mean square; of the largest infinity."""
    magnitudes = np.abs(values.ravel().astype(np.float64))
    size = np.sqrt((magnitudes**2).mean())
    relative = magnitudes / size if size else magnitudes
    relative[np.argmax(relative)] = np.inf
    return relative


def _copied(tensors: Tensors) -> dict[str, NDArray[np.float32]]:
    return {name: values.copy() for name, values in tensors.items()}
