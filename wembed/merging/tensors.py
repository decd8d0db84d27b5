"""The floating-point tensors of a network, by name, in float64: what matching and averaging work on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, in_memory
from wembed.merging.methods.linear import summed
from wembed.symmetry import Action, SymmetrySpec, apply_action

Tensors = Mapping[str, NDArray[np.float64]]


def tensors_of(checkpoint: Checkpoint, spec: SymmetrySpec) -> Tensors:
    """The tensors of a spec."""
    return {name: checkpoint.read(name).astype(np.float64) for name in spec.tensors}


def weighted_sum(networks: Sequence[Tensors], weights: Sequence[float]) -> Tensors:
    """The sum of networks times their weights, tensor by tensor."""
    return {name: np.asarray(summed([each[name] for each in networks], weights)) for name in networks[0]}


def acted(action: Action, spec: SymmetrySpec, tensors: Tensors) -> Tensors:
    """Tensors after an action."""
    moved = apply_action(action, spec, tensors.__getitem__)
    return {name: values.astype(np.float64, copy=False) for name, values in moved}


def as_checkpoint(tensors: Tensors, like: Checkpoint) -> Checkpoint:
    """Tensors as a network that can be run: float32, with the description that another checkpoint carries."""
    values = {name: array.astype(np.float32) for name, array in tensors.items()}
    return in_memory(values, like.metadata, like.path)
