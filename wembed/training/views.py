"""Views of a network: what symmetry does not cover, but kinship does.

A view is the network as use changes it (noise, pruning, quantisation, fine-tuning of low rank, a layer drawn anew), and
then any member of its symmetry class: neurons shuffled and rescaled, heads mixed, planes turned.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import in_memory
from wembed.encoder import Item
from wembed.symmetry import SymmetrySpec, apply_action, random_continuous_action

Weight = NDArray[np.float64]
Change = Callable[[str, Weight], Weight]  # of a tensor by its name
Draw = Callable[[SymmetrySpec, np.random.Generator], Change]

_SLIGHT_SIZE = (1e-3, 0.1)  # norm of a change, in norms of the tensor: what leaves a network about as good as it was
_SIZE = (1e-3, 0.5)
_SLIGHT_SHARE = (0.05, 0.3)  # of the smallest weights that are pruned
_SHARE = (0.1, 0.9)
_BITS = (8, 4)  # of a quantised weight
_RANKS = (1, 2, 4, 8)  # of a fine-tuning of low rank


def slight_views(item: Item, count: int, generator: np.random.Generator) -> Iterator[Item]:
    """Copies that are about as good as the network itself: its accuracy holds for them too."""
    return _views(item, _SLIGHT, count, generator)


def drastic_views(item: Item, count: int, generator: np.random.Generator) -> Iterator[Item]:
    """Copies that went further from the network, and may be no good any more."""
    return _views(item, _DRASTIC, count, generator)


def pass_over(item: Item, slight: int, drastic: int, generator: np.random.Generator) -> None:
    """Draws what the views of a network need, and keeps none: another process makes them.

    Args:
        item: the network, or one of its shapes, see `unread`.
        slight: how many views of one kind.
        drastic: how many of the other.
        generator: it goes on as if they had been made.
    """
    deque(slight_views(item, slight, generator), maxlen=0)
    deque(drastic_views(item, drastic, generator), maxlen=0)


def unread(item: Item) -> Item:
    """A network of the same shapes, all ones: for what depends on these alone. No file is read, no memory taken."""
    checkpoint, spec = item
    one = np.ones((), dtype=np.float32)
    shapes = {name: np.broadcast_to(one, info.shape) for name, info in checkpoint.tensors.items()}
    return in_memory(shapes, path=checkpoint.path), spec


def _views(item: Item, draws: Sequence[Draw], count: int, generator: np.random.Generator) -> Iterator[Item]:
    """Vectors (biases, norms) go with the neurons, no more; the file is read once for all copies."""
    checkpoint, spec = item
    stored = functools.cache(checkpoint.read)
    for _ in range(count):
        change = draws[int(generator.integers(len(draws)))](spec, generator)
        acted = apply_action(random_continuous_action(spec, generator), spec, _changed(stored, change))
        tensors = {name: values.astype(np.float32) for name, values in acted}
        yield in_memory(tensors, path=checkpoint.path), spec


def _changed(read: Callable[[str], NDArray[np.generic]], change: Change) -> Callable[[str], NDArray[np.generic]]:
    def read_changed(name: str) -> NDArray[np.generic]:
        values = read(name)
        return change(name, values.astype(np.float64)) if values.ndim > 1 and values.size else values

    return functools.cache(read_changed)  # what is shifted between layers is read twice, and must be the same


def _noised(sizes: tuple[float, float]) -> Draw:
    def draw(spec: SymmetrySpec, generator: np.random.Generator) -> Change:
        size = log_uniform(sizes, generator)

        def change(name: str, weight: Weight) -> Weight:
            noise = generator.standard_normal(weight.shape, dtype=np.float32)  # half the time of float64
            return weight + size * _size_of(weight) * noise

        return change

    return draw


def _tuned(sizes: tuple[float, float]) -> Draw:
    """A low-rank update of every weight."""

    def draw(spec: SymmetrySpec, generator: np.random.Generator) -> Change:
        size, rank = log_uniform(sizes, generator), int(generator.choice(_RANKS))
        return lambda name, weight: weight + low_rank(weight, size, rank, generator)

    return draw


def _pruned(shares: tuple[float, float]) -> Draw:
    def draw(spec: SymmetrySpec, generator: np.random.Generator) -> Change:
        share = generator.uniform(*shares)

        def change(name: str, weight: Weight) -> Weight:
            size = np.abs(weight)
            return np.where(size < np.quantile(size, share), 0.0, weight)

        return change

    return draw


def _quantised(spec: SymmetrySpec, generator: np.random.Generator) -> Change:
    levels = 2.0 ** (int(generator.choice(_BITS)) - 1) - 1

    def change(name: str, weight: Weight) -> Weight:
        largest = float(np.abs(weight).max()) or 1.0
        return np.round(weight / largest * levels) * (largest / levels)

    return change


def _layer_redrawn(spec: SymmetrySpec, generator: np.random.Generator) -> Change:
    return _redrawn([layer.tensors["weight"] for layer in spec.layers if layer.kind == "dense"], generator)


def _head_redrawn(spec: SymmetrySpec, generator: np.random.Generator) -> Change:
    sources = {layer.source for layer in spec.layers}
    heads = [layer for layer in spec.layers if layer.kind == "dense" and layer.target not in sources]
    return _redrawn([layer.tensors["weight"] for layer in heads], generator)


def _redrawn(names: Sequence[str], generator: np.random.Generator) -> Change:
    """One weight is drawn anew, as large as it was."""
    chosen = names[int(generator.integers(len(names)))] if names else ""

    def change(name: str, weight: Weight) -> Weight:
        return _size_of(weight) * generator.standard_normal(weight.shape) if name == chosen else weight

    return change


def low_rank(weight: NDArray[np.floating[Any]], size: float, rank: int, generator: np.random.Generator) -> Weight:
    """A random matrix of a rank, laid out as a weight, whose norm is `size` norms of the weight."""
    columns = weight.size // len(weight)
    update = generator.standard_normal((len(weight), rank)) @ generator.standard_normal((rank, columns))
    scaled: Weight = update * (size * _size_of(weight) / (_size_of(update) or 1.0))
    return scaled.reshape(weight.shape)


def _size_of(weight: NDArray[np.floating[Any]]) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(np.square(weight))))


def log_uniform(limits: tuple[float, float], generator: np.random.Generator) -> float:
    """A number whose logarithm is uniform between those of two limits."""
    return float(np.exp(generator.uniform(*np.log(limits))))


_SLIGHT: tuple[Draw, ...] = (_noised(_SLIGHT_SIZE), _tuned(_SLIGHT_SIZE), _pruned(_SLIGHT_SHARE), _quantised)
_DRASTIC: tuple[Draw, ...] = (_noised(_SIZE), _tuned(_SIZE), _pruned(_SHARE), _layer_redrawn, _head_redrawn)
