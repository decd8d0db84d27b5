"""Checkpoints in; copies that hide them out: neurons shuffled, scales changed, and weights damaged on request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wembed.checkpoint import in_memory
from wembed.encoder import Item
from wembed.evaluate.stability.damage import damaged
from wembed.symmetry import apply_action, random_action

NOISE = 0.05  # standard deviation of the noise, as a share of that of the tensor's entries

_NO_WEIGHTS = ("running_mean", "running_var")  # what a batch norm has seen, not what was learned

Change = Callable[[Item, np.random.Generator], Item]


@dataclass(frozen=True)
class Copies:
    """Changed copies of networks, each made when it is asked for; the same one every time.

    Args:
        originals: what they are copies of.
        change: makes a copy.
        seed: of all of them.
    """

    originals: Sequence[Item]
    change: Change
    seed: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.originals)

    def __getitem__(self, number: int) -> Item:
        return self.change(self.originals[number], np.random.default_rng([*self.seed, number]))


def disguised(item: Item, generator: np.random.Generator) -> Item:
    """A copy of the same function, in another order of neurons and other scales, float32."""
    checkpoint, spec = item
    return _acted(item, {name: checkpoint.read(name) for name in spec.tensors}, generator)


def noised(item: Item, generator: np.random.Generator) -> Item:
    """A copy with Gaussian noise on every weight, in another order of neurons and other scales, float32."""
    checkpoint, spec = item
    kept = {layer.tensors[role] for layer in spec.layers for role in _NO_WEIGHTS if role in layer.tensors}
    tensors = {}
    for name in spec.tensors:
        values = checkpoint.read(name).astype(np.float64)
        spread = 0.0 if name in kept else NOISE * float(values.std())
        tensors[name] = values + generator.normal(0.0, spread, values.shape)
    return _acted(item, tensors, generator)


def spoiled(kind: str) -> Change:
    """Makes copies after one of `DAMAGES`, in another order of neurons and other scales, float32."""

    def change(item: Item, generator: np.random.Generator) -> Item:
        checkpoint, spec = item
        return _acted(item, damaged({name: checkpoint.read(name) for name in spec.tensors}, kind, generator), generator)

    return change


def _acted(item: Item, tensors: dict[str, np.ndarray], generator: np.random.Generator) -> Item:
    checkpoint, spec = item
    action = random_action(spec, generator, rescale=True)
    moved = {name: values.astype(np.float32) for name, values in apply_action(action, spec, tensors.__getitem__)}
    return in_memory(moved, checkpoint.metadata, checkpoint.path), spec
