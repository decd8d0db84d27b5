"""Views of a network: what symmetry does not cover, but kinship does.

A view is the same network a little changed, as use changes it (noise, pruning, quantisation), its neurons shuffled.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import in_memory
from wembed.encoder import Item
from wembed.symmetry import apply_action, random_action

Weight = NDArray[np.float64]

_NOISE = (0.01, 0.1)  # standard deviation, in standard deviations of the tensor
_PRUNED = (0.05, 0.3)  # share of the smallest weights
_BITS = (4, 8)  # of a quantised weight


def view_of(item: Item, generator: np.random.Generator) -> Item:
    """A changed and shuffled copy of a network; vectors (biases, norms) are shuffled with the neurons, not changed."""
    checkpoint, spec = item
    change = _CHANGES[generator.integers(len(_CHANGES))]

    def read(name: str) -> NDArray[np.generic]:
        values = checkpoint.read(name)
        return change(values.astype(np.float64), generator) if values.ndim > 1 and values.size else values

    acted = apply_action(random_action(spec, generator), spec, read)
    tensors = {name: values.astype(np.float32) for name, values in acted}
    return in_memory(tensors, path=checkpoint.path), spec


def _noised(weight: Weight, generator: np.random.Generator) -> Weight:
    noise: Weight = generator.uniform(*_NOISE) * weight.std() * generator.standard_normal(weight.shape)
    return weight + noise


def _pruned(weight: Weight, generator: np.random.Generator) -> Weight:
    size = np.abs(weight)
    return np.where(size < np.quantile(size, generator.uniform(*_PRUNED)), 0.0, weight)


def _quantised(weight: Weight, generator: np.random.Generator) -> Weight:
    levels = 2.0 ** (generator.integers(*_BITS) - 1) - 1
    largest = float(np.abs(weight).max()) or 1.0
    return np.round(weight / largest * levels) * (largest / levels)


_CHANGES: tuple[Callable[[Weight, np.random.Generator], Weight], ...] = (_noised, _pruned, _quantised)
