"""A checkpoint in; a fixed sample of each of its weights out, by which thousands of networks are compared at once.

Which places are drawn depends on a tensor's name and shape alone, so that all networks that share a tensor show the
same part of it; one that shows less of it shows the first of them.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, TensorInfo
from wembed.kinship.fixed import is_fixed

_PLACES = 1 << 16  # of a network
_MOST, _FEWEST = 1 << 12, 1 << 6  # of a tensor
_EXACT = 1 << 12  # of a network, that are compared one by one

Key = tuple[str, tuple[int, ...]]  # a tensor's name and shape
Values = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Sketch:
    """A sample of a network's weights.

    Args:
        parts: by name and shape, some of the values of each weight, [places].
        exact: fewer of these, and some of each bias and norm, [places]; nothing of what was set and not learned.
    """

    parts: Mapping[Key, NDArray[np.float64]]
    exact: Mapping[Key, NDArray[np.float64]] = field(default_factory=dict)

    def flat(self, keys: Sequence[Key]) -> NDArray[np.float64]:
        """The samples of some tensors behind each other."""
        return np.concatenate([self.parts[key] for key in keys])

    @property
    def size(self) -> int:
        """Number of weights of the network."""
        return sum(math.prod(shape) for _, shape in self.parts)


def weights_of(checkpoint: Checkpoint) -> dict[str, TensorInfo]:
    """The tensors that are weights: floating-point ones of two axes or more."""
    return {name: info for name, info in checkpoint.tensors.items() if _is_weight(info)}


def sketch(checkpoint: Checkpoint) -> Sketch:
    """The sample of a checkpoint as it is in its file."""
    names = weights_of(checkpoint)
    fixed: set[str] = set()

    def read(name: str) -> Values:
        values = checkpoint.read(name)
        if not np.ptp(values) or is_fixed(name, values):
            fixed.add(name)
        return values

    own = sketch_of(((name, read(name)) for name in names), len(names))
    vectors = [name for name, info in checkpoint.tensors.items() if _is_vector(info)]
    added = {(name, checkpoint.tensors[name].shape): _drawn(name, read(name), _FEWEST) for name in vectors}
    most = max(_EXACT // max(len(names), 1), _FEWEST)
    looked_at = {key: values[:most] for key, values in own.parts.items()} | added
    return Sketch(own.parts, {key: values for key, values in looked_at.items() if key[0] not in fixed})


def sketch_of(weights: Iterable[tuple[str, Values]], count: int) -> Sketch:
    """The sample of some weights, which are read one by one.

    Args:
        weights: name and values.
        count: how many there are.
    """
    most = min(max(1 << int(math.log2(_PLACES / max(count, 1))), _FEWEST), _MOST)
    return Sketch({(name, values.shape): _drawn(name, values, most) for name, values in weights})


def both(first: Sketch, second: Sketch, key: Key) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What two networks show of one weight, in the places that both show."""
    places = min(len(first.parts[key]), len(second.parts[key]))
    return first.parts[key][:places], second.parts[key][:places]


def _is_weight(info: TensorInfo) -> bool:
    return info.is_floating and len(info.shape) > 1 and info.size > 0


def _is_vector(info: TensorInfo) -> bool:
    return info.is_floating and len(info.shape) == 1 and info.size > 0


def _drawn(name: str, values: Values, most: int) -> NDArray[np.float64]:
    flat = values.reshape(-1)
    seed = hashlib.sha256(f"{name} {values.shape}".encode()).digest()
    random = np.random.default_rng(np.frombuffer(seed, np.uint32))
    places = random.permutation(flat.size) if flat.size <= _MOST else random.integers(flat.size, size=_MOST)
    return flat[places[:most]].astype(np.float64)
