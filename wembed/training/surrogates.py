"""A seed in; wide random networks, and children of them, as examples in memory out.

Large networks are rare in zoos that are trained, so an encoder has to learn from stand-ins what they have in common:
singular values with a heavy tail, a few channels far larger than the others, children that differ by an update of low
rank.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import in_memory
from wembed.symmetry import SymmetrySpec, declare_spec
from wembed.training.examples import Example
from wembed.training.views import log_uniform, low_rank

_WIDTHS = (768, 1024, 1536, 2048, 3072, 4096)
_TWO_LAYERS = 1536  # the widest that has a second hidden layer: beyond, that layer alone would be most of a mixture
_INPUTS = (64, 128, 256)
_CLASSES = (4, 10, 32)
_ACTIVATIONS = ("relu", "gelu", "tanh")
_SPIKES = 32  # singular values that stand out
_TAIL = (0.5, 2.0)  # of how fast these fall: the k-th is k to the power of minus it
_LARGEST = (1.0, 8.0)  # of these, in edges of the spectrum of the rest
_OUTLIERS = (0, 1, 4, 16)  # channels
_OUTLIER_SIZE = (3.0, 30.0)  # times what the others are
_RANKS = (1, 4, 16)
_CHANGE = (1e-3, 1.0)  # norm of a child's update, in norms of its parent's weights

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Shape:
    """What networks of one structure share.

    Args:
        sizes: inputs, hidden units, classes.
        activation: of the hidden units.
    """

    sizes: tuple[int, ...]
    activation: str

    @property
    def spec(self) -> SymmetrySpec:
        """Its symmetries."""
        shapes: dict[str, tuple[int, ...]] = {}
        steps: list[str] = []
        for number, (sources, targets) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            shapes |= {f"{2 * number}.weight": (targets, sources), f"{2 * number}.bias": (targets,)}
            steps += [str(2 * number), self.activation]
        return declare_spec(shapes, [steps[:-1]])


def draw_surrogates(families: int, children: int, seed: int, alike: int = 4) -> Iterator[Example]:
    """Wide random networks, each with its children: every one a run of its own.

    A network has up to 10 M parameters, 4 bytes each, and is held in memory while its example is.

    Args:
        families: number of networks without parents.
        children: of each.
        seed: of all that is drawn.
        alike: so many networks in a row share their structure, and are hard to tell apart.
    """
    generator = np.random.default_rng([seed, 4])
    for number in range(families):
        if number % alike == 0:
            shape = _draw_shape(generator)
            spec = shape.spec
        name, tensors = f"surrogate-{seed}-{number:04d}", _network(shape, generator)
        yield _example(name, tensors, spec, ())
        for child in range(children):
            yield _example(f"{name}-child-{child}", _child(tensors, generator), spec, (name,))


def _draw_shape(generator: np.random.Generator) -> Shape:
    width = int(generator.choice(_WIDTHS))
    layers = int(generator.integers(1, 3)) if width <= _TWO_LAYERS else 1
    sizes = (int(generator.choice(_INPUTS)), *([width] * layers), int(generator.choice(_CLASSES)))
    return Shape(sizes, str(generator.choice(_ACTIVATIONS)))


def _network(shape: Shape, generator: np.random.Generator) -> Tensors:
    tensors: Tensors = {}
    for number, (sources, targets) in enumerate(zip(shape.sizes, shape.sizes[1:], strict=False)):
        tensors[f"{2 * number}.weight"] = _weight(targets, sources, generator)
        tensors[f"{2 * number}.bias"] = 0.1 * generator.standard_normal(targets, dtype=np.float32)
    return tensors


def _weight(targets: int, sources: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Noise, singular values that fall by a power, and channels that stand out, on either side."""
    weight = generator.standard_normal((targets, sources), dtype=np.float32)
    rank = min(_SPIKES, targets, sources)
    edge = math.sqrt(targets) + math.sqrt(sources)  # the largest singular value of the noise
    sizes = generator.uniform(*_LARGEST) * edge * np.arange(1.0, rank + 1.0) ** -generator.uniform(*_TAIL)
    left = generator.standard_normal((targets, rank)) / math.sqrt(targets)
    right = generator.standard_normal((rank, sources)) / math.sqrt(sources)
    weight += ((left * sizes) @ right).astype(np.float32)
    for channels in (weight, weight.T):
        count = min(int(generator.choice(_OUTLIERS)), len(channels) // 4)
        chosen = generator.choice(len(channels), count, replace=False)
        channels[chosen] *= np.float32(log_uniform(_OUTLIER_SIZE, generator))
    return weight / np.float32(math.sqrt(sources))


def _child(parent: Tensors, generator: np.random.Generator) -> Tensors:
    """A parent after an update of low rank; vectors stay."""
    change, rank = log_uniform(_CHANGE, generator), int(generator.choice(_RANKS))
    return {
        name: values + low_rank(values, change, rank, generator).astype(np.float32) if values.ndim > 1 else values
        for name, values in parent.items()
    }


def _example(name: str, tensors: Tensors, spec: SymmetrySpec, parents: tuple[str, ...]) -> Example:
    checkpoint = in_memory(tensors)
    item = checkpoint, spec
    return Example(item, name, 0, math.nan, id=name, parents=parents, content=checkpoint.content_hash())
